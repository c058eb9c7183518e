// As they are stored with each job: they stay.
export const MIRROR_IMAGE = 'mirror-image';
export const LOOK_FOR_DELETED = 'look-for-deleted';
export const REMOVE_BLOBS = 'remove-blobs';
