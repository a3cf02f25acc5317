import { Random } from '../../dev/faults/random';

/** Strings of one kind, and what a text field does with them. */
export interface HostileClass {
  readonly name: string;
  readonly text: 'stored' | 'rejected';
  readonly strings: readonly string[];
}

const SEED = 20_261_124;
const STRINGS_PER_CLASS = 30;
const CONTROL = range(0x01, 0x08).concat(range(0x0e, 0x1f), range(0x7f, 0x9f));
const SPACES = [
  '\u00a0',
  '\u1680',
  ...range(0x2000, 0x200a),
  '\u2028',
  '\u2029',
  '\u202f',
  '\u205f',
  '\u3000',
];
const WORDS = ['ann', 'Bob', 'Zoë', 'Müller', 'o’Hara', 'x1', 'admin', 'José'];
const RIGHT_TO_LEFT = Array.from('אבגדהוזחטياسنمكلعرבק');

type Parts = readonly (readonly string[])[];

/** A recipe: one of each list, in this order. */
const recipe = (...parts: Parts): Parts => parts;

const STORED: Readonly<Record<string, Parts>> = {
  'SQL injection': recipe(
    ["'", '"', "')", '1', '`', '\\'],
    [' OR ', ' AND ', '; ', ' UNION ', '||'],
    ['1=1', 'DROP TABLE users', 'SELECT $1', 'pg_sleep(9)', "''=''"],
    ['', '--', '/*', ';', '#'],
  ),
  'NoSQL operators': recipe(
    ['{"', "{'", '[$', ''],
    ['$gt', '$ne', '$where', '$regex', '$function'],
    ['":', '=', ']='],
    ['""}', '1}', '.*', 'sleep(9)'],
  ),
  'LDAP filters': recipe(
    ['*', ')', '*)', '('],
    ['(|', '(&', '(!', '\\2a'],
    ['uid=', 'cn=', 'mail='],
    ['*))', '*)', '\\00'],
  ),
  'XPath and XML': recipe(
    ["' or ", '<?xml?>', '<!DOCTYPE a [', '<![CDATA['],
    ['/user', '<!ENTITY x SYSTEM', '&x;', 'name()'],
    ['"file:///etc/passwd"', ']]>', '[1]', '>'],
  ),
  'shell commands': recipe(
    ['; ', '| ', '&& ', '`', '$(', '> '],
    ['id', 'cat /etc/passwd', 'sleep 9', 'rm -rf ~'],
    ['`', ')', ' #', ' &', ''],
  ),
  templates: recipe(
    ['{{', '${', '<%= ', '#{', '{%', '[['],
    ['7*7', 'this', 'process.env', 'config', 'T(x)'],
    ['}}', '}', ' %>', '%}', ']]'],
  ),
  'cross-site scripting': recipe(
    ['<script>', '<img src=x ', '"><svg ', "javascript:'", '</title>'],
    ['onerror=', 'onload=', 'alert`', 'eval('],
    ['1', 'document.cookie', 'name', '//'],
    ['>', '</script>', ')', '`'],
  ),
  'HTML entities': recipe(['&', '&#', '&#x'], ['lt', '60', '3c', 'amp', '0', '1f600'], [';', ''], WORDS),
  'path traversal': recipe(
    ['../', '..\\', '/', '....//', 'C:\\'],
    ['../../', '..;/', './', '%2e%2e/'],
    ['etc/passwd', 'proc/self/environ', '.env', 'win.ini'],
  ),
  'percent-encoding': recipe(['%', '%25', '%u00', '\\x'], ['00', '0a', '2e', 'ff', 'c0%af', 'zz'], WORDS),
  'format strings': recipe(
    ['%', '%1$', '{0:', '%08', '%-'],
    ['s', 'n', 'x', 'p', 'd'],
    ['%n', '', '%s%s', '}'],
    WORDS,
  ),
  'numbers as text': recipe(
    ['-', '+', '0x', '0', '1e', '٣'],
    ['1', '99', '9007199254740993', '2147483648', '308'],
    ['', '.0', 'n', 'e9', '_0'],
  ),
  'words for nothing and truth': recipe(
    ['null', 'undefined', 'NaN', 'true', 'false', 'None', 'nil', 'NULL', 'Infinity', '[object Object]'],
    ['', ' ', '()', ';', ',', '.'],
    ['', 'null', 'true'],
  ),
  'names of the language': recipe(
    ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__'],
    ['', '.', '['],
    ['polluted', 'constructor', '__proto__'],
    ['', ']', '=1'],
  ),
  'JSON in text': recipe(
    ['{"', '["', '\\"', '"}'],
    ['email', '__proto__', 'a\\u0000', '\\\\'],
    ['":', '",', '"]'],
    ['null}', '[]]', '1,"a":1}', '{}'],
  ),
  'CSV formulas': recipe(
    ['=', '+', '-', '@', '=-'],
    ['cmd|', 'HYPERLINK(', 'SUM(1,', 'DDE('],
    ['"a"', "'/C calc'!A0", 'A1', '1+1'],
    [')', '', ';'],
  ),
  emoji: recipe(
    ['👩', '👨', '🧑', '🏳️', '👁️', '❤️'],
    ['\u{1f3fb}', '\u{1f3ff}', '', '\ufe0f'],
    ['\u200d💻', '\u200d🌈', '\u200d👧\u200d👦', '🇩🇪', '\u20e3'],
  ),
  'combining marks': recipe(
    ['a', 'Z', 'ñ', '漢', 'ا'],
    ['\u0301', '\u0323\u0301', '\u0336'.repeat(40), '\u0f7b\u20dd', '\u064b'],
    ['b', 'é', 'c\u0327'],
  ),
  'scripts from right to left': recipe(RIGHT_TO_LEFT, RIGHT_TO_LEFT, RIGHT_TO_LEFT, ['', ' abc', ' 12', '־']),
  'marks of direction': recipe(WORDS, ['\u200e', '\u200f', '\u061c'], ['!', 'שלום', 'c', '1']),
  'zero-width characters': recipe(
    WORDS,
    ['\u200b', '\u200c', '\u200d', '\u2060', '\ufeff', '\u00ad', '\u180e'],
    WORDS,
  ),
  homoglyphs: recipe(
    ['а', 'ο', 'е', 'р', 'с', 'І'],
    ['dmin', 'aypal', 'ooglе', 'ass', 'аррӏе'],
    ['', '1', 'l', 'Ι'],
  ),
  'forms of normalisation': recipe(
    ['e\u0301', '\u00e9', '\ufb01', '\u212b', '\u1e9b\u0323', 'Å', '\uff21'],
    ['\u1112\u1161\u11ab', '한', '\u2460', '\u00bd', 'ｱ'],
    ['x', '', '\u0345'],
  ),
  'letters that grow or shrink by case': recipe(
    ['ß', 'İ', 'ı', 'ŉ', 'ﬀ', 'ΐ', 'Σ', 'ſ'],
    ['Σ', 'ς', 'İ', 'ẞ', 'k'],
    ['', 'a', 'Ω'],
  ),
  'noncharacters and private use': recipe(
    WORDS,
    ['\ufffe', '\uffff', '\ufdd0', '\u{1ffff}', '\u{10ffff}', '\ue000', '\ufffd'],
    ['', 'z'],
  ),
  'white space inside': recipe(WORDS, SPACES, WORDS),
  'white space around': recipe(['\t', '\n', '\r\n', '\v\f', ...SPACES], WORDS, [
    '\t',
    '\n',
    ' ',
    '\ufeff',
    ...SPACES,
  ]),
  'punycode and domains': recipe(
    ['xn--', 'XN--', 'xn--xn--', 'münchen'],
    ['mnchen-3ya', 'a', '80ak6aa92e', '---', '例え'],
    ['.', '。', '．', ''],
    ['de', 'xn--p1ai', 'рф'],
  ),
  'email syntax': recipe(
    ['"', '<', '(c)', '@', 'a@b,', 'mailto:'],
    ['a b', 'a\\"', '..', 'a@[::1]', 'a%b'],
    ['"', '>', '@x', '@127.0.0.1', '!'],
  ),
  'just short enough': recipe(
    ['x', '漢', '😀'].map((each) => each.repeat(60)),
    ['y', 'é', '🙂'].map((each) => each.repeat(39)),
    Array.from('abcdefgh'),
  ),
};

const REJECTED: Readonly<Record<string, Parts>> = {
  'line breaks': recipe(
    WORDS,
    ['\r\n', '\n', '\r', '\u0085'],
    ['Set-Cookie: a=b', 'X-A: b', '\r\n<html>', 'HTTP/1.1 200 OK', 'level=error'],
  ),
  'NUL and control characters': recipe(WORDS, ['\0', ...CONTROL], WORDS),
  'terminal escapes': recipe(
    WORDS,
    ['\u001b[', '\u009b', '\u001b]0;'],
    ['31m', '2J', '1A', 'title\u0007'],
    WORDS,
  ),
  'bidirectional overrides': recipe(
    WORDS,
    [...range(0x202a, 0x202e), ...range(0x2066, 0x2069)],
    ['gpj.exe', 'txt', 'moc'],
  ),
  'lone surrogates': recipe(WORDS, ['\ud800', '\udbff', '\udc00', '\udfff', '\udc00\ud800'], ['', 'z', '😀']),
  'nothing visible': recipe(
    ...Array<string[]>(4).fill([
      '\u200b',
      '\u200c',
      '\u200d',
      '\u2060',
      '\ufeff',
      '\u00ad',
      '\u3164',
      '\u115f',
      '\ufe0f',
      '\u{e0020}',
      '\u2800',
      '\ufffc',
      '\u0301',
      '\u20e3',
    ]),
  ),
  'too long': recipe(
    [256, 400, 999, 1800].map((times) => 'ab'.repeat(times)),
    ['x', 'é', '漢', '😀'],
    WORDS,
  ),
};

/** What attackers, broken clients and unusual names send: made of fragments, the same ones in each run. */
export const HOSTILE_CLASSES: readonly HostileClass[] = [
  ...Object.entries(STORED).map(([name, parts]) => ({
    name,
    text: 'stored' as const,
    strings: stringsOf(parts),
  })),
  ...Object.entries(REJECTED).map(([name, parts]) => ({
    name,
    text: 'rejected' as const,
    strings: stringsOf(parts),
  })),
];

function stringsOf(parts: Parts): string[] {
  const random = new Random(SEED);
  const strings = new Set<string>();
  for (let attempt = 0; attempt < 1000 && strings.size < STRINGS_PER_CLASS; attempt += 1)
    strings.add(parts.map((choices) => random.pick(choices)).join(''));
  if (strings.size < STRINGS_PER_CLASS) throw new Error('too few fragments for a class');
  return [...strings];
}

function range(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => String.fromCharCode(first + index));
}
