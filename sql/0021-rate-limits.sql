-- How often each address was refused, or came as an operator, in the minute that goes on: counted by all processes
-- together. As rate-limiter-flexible wants it. Unlogged: after a crash of the server counting begins anew.
CREATE UNLOGGED TABLE rate_limits (
  key    varchar(255) PRIMARY KEY,
  points integer NOT NULL DEFAULT 0,
  expire bigint                                        -- milliseconds since 1970
);
CREATE INDEX rate_limits_expire ON rate_limits (expire);
