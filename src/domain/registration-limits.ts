/** What the README's rules allow: choices, and lengths in Unicode code points. */
export const GENDERS = ['male', 'female', 'non-binary', 'prefer-not-to-say'];
export const SEXES = ['male', 'female', 'intersex'];
export const MIN_LENGTH = 2;
export const MAX_NAME_LENGTH = 100;
export const MAX_OCCUPATION_LENGTH = 255;
