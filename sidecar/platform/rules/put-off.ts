/** How a job ends that did not fail: `null` when it is done, else when to call again, without counting it as tried. */
export type PutOff = { readonly again: Date } | null;
