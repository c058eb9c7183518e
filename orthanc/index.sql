-- Orthanc looks a resource up by its id and its level. Its own index in SQLite knows only one of the two at a time, and
-- SQLite takes the level: each look-up then reads the whole archive (1.3 ms at 20,000 images, measured on 1.12.7).
CREATE INDEX IF NOT EXISTS AxisResourceIndex ON Resources (publicId, resourceType);
