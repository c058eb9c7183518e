import { setFlagsFromString } from 'node:v8';

// By its own measure V8 lets the young generation grow to 64 MB, most of which stays resident for short-lived rows and
// requests; at the size it has by then it is collected more often, which costs little here.
setFlagsFromString('--semi-space-growth-factor=1');

// And it lets garbage grow to several times what lives, which is 45 MB, before it collects all: half as much again is
// enough while pages of the feed go through.
setFlagsFromString('--heap-growing-percent=50');
