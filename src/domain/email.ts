import Joi from 'joi';
import { toASCII, toUnicode } from 'tr46';
import { INVISIBLE, printableText, toNfc } from './text';
import { validator } from './validator';

/** Characters of an email. */
export const MAX_EMAIL_LENGTH = 254;
const MAX_LOCAL_PART = 64;
// Already canonical: lower case, no hyphen in the domain (so no Punycode), nothing quoted.
const PLAIN = /^[a-z0-9_]+(?:[.+-][a-z0-9_]+)*@(?:[a-z0-9]{1,63}\.)+[a-z]{2,63}$/;
const PLAIN_DOMAIN = /^(?!.*xn--)[a-z0-9.-]*$/i;
// Nontransitional UTS #46, as browsers apply it. From a package, because Node's own tables depend on its version, and two
// versions side by side in a rollout would make two people of one address.
const IDNA = { checkBidi: true, checkJoiners: true, useSTD3ASCIIRules: true, verifyDNSLength: true };
// Nor do a character's case and composition, once it is assigned. What Unicode 15.1 to 17.0 added is rejected as well: Node
// 20.0 does not know it, and would make a dead letter of what a newer one beside it has accepted.
const NEWER = `
  88f-897 c5c cdc 1acf-1aeb 1b4e-1b4f 1b7f 1c89-1c8a 20c1 2427-2429 2b96 2ffc-2fff 31e4-31ef a7cb-a7cf a7d2
  a7d4 a7da-a7f1 fbc3-fbd2 fd90-fd91 fdc8-fdce 105c0-105f3 10940-10959 10d40-10d8f 10ec2-10efc 11380-113e2
  116d0-116e3 11b60-11bf9 11db0-11de9 11f5a 13460-143fa 16100-16139 16d40-16d79 16ea0-16ed3 16ff2-16ff6
  187f8-187ff 18cff 18d09-18df2 1cc00-1cef0 1e5d0-1e6ff 1f6d8 1f777-1f77a 1f8b2-1f8d8 1fa54-1fa57 1fa89-1fa8f
  1fabe 1fac6-1facd 1fadc-1fadf 1fae9-1faef 1fbcb-1fbef 1fbfa 2b73a-2b73f 2cea2-2cead 2ebf0-2ee5d 323b0-33479`;
const UNKNOWN = new RegExp(`[\\p{Cn}${NEWER.replace(/\s*([\da-f]+)/g, '\\u{$1}')}]`, 'u');
const LEADING_MARK = /^\p{M}/u;

function canonicalDomain(domain: string): string | null {
  if (PLAIN_DOMAIN.test(domain)) return domain.toLowerCase();
  const ascii = toASCII(domain, IDNA);
  return ascii === null || UNKNOWN.test(toUnicode(ascii).domain) ? null : ascii;
}

const canonicalise: Joi.CustomValidator<string> = (value, helpers) => {
  const address = toNfc(value, MAX_EMAIL_LENGTH) ?? '';
  const at = address.lastIndexOf('@');
  if (at < 1 || UNKNOWN.test(address)) return helpers.error('string.email');
  const lower = address.slice(0, at).toLowerCase();
  // Which letters are one, and why: docs/decisions/0001-letter-case-of-emails.md. NFC composes what lower-casing may leave.
  const local = lower
    .replaceAll('ς', 'σ')
    .replace(/i\u0307+/g, 'i')
    .normalize('NFC');
  const domain = canonicalDomain(address.slice(at + 1));
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
