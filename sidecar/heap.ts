import { setFlagsFromString } from 'node:v8';

// By its own measure V8 lets the young generation grow to 64 MB, most of which stays resident for short-lived rows and
// requests; at the size it has by then it is collected more often, which costs little here.
setFlagsFromString('--semi-space-growth-factor=1');
