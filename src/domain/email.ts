import { domainToASCII, domainToUnicode } from 'node:url';
import Joi from 'joi';
import { printableText } from './text';
import { validator } from './validation';

/** Characters of an email. */
export const MAX_EMAIL_LENGTH = 254;
const MAX_LOCAL_PART = 64;
// Already canonical: lower case, no hyphen in the domain (so no Punycode), nothing quoted.
const PLAIN = /^[a-z0-9_]+(?:[.+-][a-z0-9_]+)*@(?:[a-z0-9]{1,63}\.)+[a-z]{2,63}$/;
const INVISIBLE_OR_BLANK = /[\p{Default_Ignorable_Code_Point}\p{Cf}\s]/u;
const PLAIN_DOMAIN = /^[A-Za-z0-9.-]*$/;
// NFC makes at most one character of four, so a longer text ends above 254. Checked first, because NFC and Punycode take
// quadratic time: 16 kB of combining marks in the wrong order cost 25 ms, 16 kB of Chinese 30 ms.
const MAX_RAW_LENGTH = 4 * MAX_EMAIL_LENGTH;
const UNDECODED = /(^|\.)xn--/;
const NON_DOMAIN_ASCII = /[^A-Za-z0-9.\u0080-\u{10FFFF}-]/u;

// The URL parser behind domainToASCII would cut "example.com/x" or decode "ex%41mple.com", so such domains stop here.
function canonicalDomain(domain: string): string {
  if (NON_DOMAIN_ASCII.test(domain)) return '';
  const isPlain = PLAIN_DOMAIN.test(domain) && !domain.toLowerCase().includes('xn--');
  return isPlain ? domain.toLowerCase() : verifiedAscii(domainToASCII(domain));
}

// Node 24 passes on an ASCII domain that no Unicode domain has as its ASCII form, and Node 20 some of them.
function verifiedAscii(domain: string): string {
  const unicode = domainToUnicode(domain);
  const isSound = !UNDECODED.test(unicode) && domainToASCII(unicode) === domain;
  return isSound ? domain : '';
}

// Σ has two lower-case forms, depending on its neighbours: one for both, so that either is the same address as its capitals.
const lowerCase = (text: string): string => text.toLowerCase().replaceAll('ς', 'σ');

const canonicalise: Joi.CustomValidator<string> = (value, helpers) => {
  if (value.length > MAX_RAW_LENGTH) return helpers.error('string.email');
  const address = value.normalize('NFC');
  const at = address.lastIndexOf('@');
  const domain = canonicalDomain(address.slice(at + 1));
  if (at < 1 || domain === '' || INVISIBLE_OR_BLANK.test(address)) return helpers.error('string.email');
  // Lower-casing can leave a sequence that NFC would compose, hence twice.
  return `${lowerCase(address.slice(0, at)).normalize('NFC')}@${domain}`;
};

/**
 * The email rule, in full: trimmed, NFC, lower case (ς as σ), domain in ASCII, then checked for syntax
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
