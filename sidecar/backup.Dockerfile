FROM node:24.21.0-trixie-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/node node_modules/typescript node_modules/.bin

# For its pg_dump, pg_restore and psql, which must not be older than the server.
FROM postgres:18.4
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates libatomic1 libstdc++6 restic \
  && rm -rf /var/lib/apt/lists/*
COPY --from=packages /usr/local/bin/node /usr/local/bin/node
ENV NODE_ENV=production
WORKDIR /app
COPY package.json ./
COPY --from=packages /app/node_modules node_modules/
COPY sql/ sql/
COPY sidecar/ sidecar/
# New volumes take these over. 999 is who Orthanc's files belong to in its own image, and `postgres` in this one.
RUN mkdir -p /backup /var/lib/axis-backup && chown 999:999 /backup /var/lib/axis-backup
USER 999
# Not the database server's.
ENTRYPOINT []
CMD ["node", "sidecar/cli.ts", "backup", "--every"]
