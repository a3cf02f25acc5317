import { join } from 'node:path';

/** The checkout's root folder. */
export const checkoutDir = join(__dirname, '..', '..');

/** Git-ignored folder of the checkout for downloads and kept data; deleting it is always safe while nothing runs. */
export const localDir = join(checkoutDir, '.local');
