import Joi from 'joi';
import { toASCII } from 'tr46';
import { INVISIBLE, printableText, toNfc } from './text';
import { validator } from './validation';

/** Characters of an email. */
export const MAX_EMAIL_LENGTH = 254;
const MAX_LOCAL_PART = 64;
// Already canonical: lower case, no hyphen in the domain (so no Punycode), nothing quoted.
const PLAIN = /^[a-z0-9_]+(?:[.+-][a-z0-9_]+)*@(?:[a-z0-9]{1,63}\.)+[a-z]{2,63}$/;
const PLAIN_DOMAIN = /^(?!.*xn--)[a-z0-9.-]*$/i;
// Nontransitional UTS #46, as browsers apply it. From a package, because Node's own tables depend on its version, and two
// versions side by side in a rollout would make two people of one address.
const IDNA = { checkBidi: true, checkJoiners: true, useSTD3ASCIIRules: true, verifyDNSLength: true };
// Nor do a character's case and composition depend on the version, once it is assigned.
const UNASSIGNED = /\p{Cn}/u;
const LEADING_MARK = /^\p{M}/u;

const canonicalise: Joi.CustomValidator<string> = (value, helpers) => {
  const address = toNfc(value, MAX_EMAIL_LENGTH) ?? '';
  const at = address.lastIndexOf('@');
  if (at < 1 || UNASSIGNED.test(address)) return helpers.error('string.email');
  const lower = address.slice(0, at).toLowerCase();
  // Which letters are one, and why: docs/decisions/0001-letter-case-of-emails.md. NFC composes what lower-casing may leave.
  const local = lower
    .replaceAll('ς', 'σ')
    .replace(/i\u0307+/g, 'i')
    .normalize('NFC');
  const given = address.slice(at + 1);
  const domain = PLAIN_DOMAIN.test(given) ? given.toLowerCase() : toASCII(given, IDNA);
  const isWrong = domain === null || INVISIBLE.test(local) || LEADING_MARK.test(local);
  return isWrong ? helpers.error('string.email') : `${local}@${domain}`;
};

/**
 * The email rule, in full: trimmed, NFC, lower case before the @, domain in ASCII (IDNA), then checked for syntax
 * (any TLD, at most 254 characters, 64 bytes before the @: Joi's rule).
 * The value that comes out is the address's only form in bodies, paths, Redis, Kafka and the column.
 */
export const emailSchema = printableText()
  .custom(canonicalise)
  .email({ tlds: { allow: false } })
  .label('email');

const applyAllRules = validator<string>(emailSchema);

/** The canonical form of an address. Throws ValidationError when it is none. */
export function parseEmail(input: unknown): string {
  return isCanonicalEmail(input) ? input : applyAllRules(input);
}

/** Fast path: whether the address is trivially valid and already canonical. */
export function isCanonicalEmail(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= MAX_EMAIL_LENGTH &&
    value.indexOf('@') <= MAX_LOCAL_PART &&
    PLAIN.test(value)
  );
}
