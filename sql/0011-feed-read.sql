-- When the feed was last read to its end, by whichever process follows it; null before the first time.
ALTER TABLE feed_cursor ADD COLUMN read_at timestamptz;
