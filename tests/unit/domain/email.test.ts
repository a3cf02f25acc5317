import { parseEmail } from '../../../src/domain/email';

describe('parseEmail', () => {
  it.each([
    ['lower-cases', 'John.DOE@Example.COM', 'john.doe@example.com'],
    ['composes to NFC', 'jose\u0301@example.com', 'jos\u00e9@example.com'],
    ['turns the domain into ASCII', 'a@MÜNCHEN.de', 'a@xn--mnchen-3ya.de'],
    ['lower-cases a punycode domain', 'a@XN--MNCHEN-3YA.de', 'a@xn--mnchen-3ya.de'],
    ['reads an ideographic full stop as a dot', 'a@例え。рф', 'a@xn--r8jz45g.xn--p1ai'],
    ['keeps tags, apostrophes and dots', "o'hara.x+tag@ex-ample.museum", "o'hara.x+tag@ex-ample.museum"],
    ['takes 64 bytes before the @', `${'x'.repeat(64)}@example.com`, `${'x'.repeat(64)}@example.com`],
    ['takes a label of 63 bytes in ASCII', `a@${'ü'.repeat(57)}.de`, `a@xn--tda${'a'.repeat(56)}.de`],
    ['leaves out of the domain what IDNA ignores', 'a@ex\u00adam\u200bple.com', 'a@example.com'],
    ['takes a domain whose label has two hyphens in the middle', 'a@r3---sn.com', 'a@r3---sn.com'],
    [
      'takes 254 characters',
      `a@${`${'b'.repeat(61)}.`.repeat(4)}com1`,
      `a@${`${'b'.repeat(61)}.`.repeat(4)}com1`,
    ],
  ])('%s', (_what, address, canonical) => {
    expect(parseEmail(address)).toBe(canonical);
  });

  it.each([
    ['no @', 'example.com'],
    ['two @', 'a@@example.com'],
    ['nothing before the @', '@example.com'],
    ['nothing behind the @', 'a@'],
    ['a domain without a dot', 'a@localhost'],
    ['a blank inside', 'a b@example.com'],
    ['a quoted local part', '"a b"@example.com'],
    ['an address literal', 'a@[127.0.0.1]'],
    ['an IPv4 domain', 'a@127.0.0.1'],
    ['an IPv4 domain in full-width digits', 'a@１.２'],
    ['two dots in the domain', 'a@example..com'],
    ['a dot at the end', 'a@example.com.'],
    ['a dash at the start of a label', 'a@-example.com'],
    ['an underscore in the domain', 'a@ex_ample.com'],
    ['a path behind the domain', 'a@example.com/x'],
    ['a port behind the domain', 'a@example.com:80'],
    ['percent-encoding in the domain', 'a@ex%41mple.com'],
    ['65 bytes before the @', `${'x'.repeat(65)}@example.com`],
    ['64 letters after the last dot', `a@example.${'c'.repeat(64)}`],
    ['255 characters', `a@${`${'b'.repeat(61)}.`.repeat(4)}com12`],
    ['a label of 64 bytes in ASCII', `a@${'ü'.repeat(58)}.de`],
    ['a joiner where IDNA allows none', 'a@a\u200db.com'],
    ['a non-joiner where IDNA allows none', 'a@a\u200cb.com'],
    ['an emoji of two that are joined', 'a@👩\u200d💻.ws'],
    ['a mark at the start of a label', 'a@\u0301b.com'],
    ['a digit in front of a Hebrew label', 'a@1א.com'],
    ['a domain of what IDNA ignores', 'a@\u00ad\u00ad.com'],
    ['only a mark before the @', '\u0301@example.com'],
    ['a mark in front', '\u0301a@example.com'],
    ['broken punycode', 'a@xn--a.com'],
    ['punycode of nothing', 'a@xn--.com'],
    ['punycode of ASCII', 'a@xn--a-.com'],
    ['punycode of an upper-case letter', 'a@xn--u-ccb.com'],
    ['punycode that is not the one of its characters', 'a@xn---5bp.com'],
    ['broken punycode beside a good label', 'a@mail.xn--abc.de'],
    ['more than any address has before NFC', `a${'\u0301'.repeat(1016)}@example.com`],
  ])('refuses %s', (_what, address) => {
    expect(() => parseEmail(address)).toThrow('Validation error: email must be a valid email');
  });

  it.each([
    ['undefined', undefined, 'email is required'],
    ['a number', 5, 'email must be a string'],
    ['empty text', '', 'email is not allowed to be empty'],
    ['blanks', '   ', 'email is not allowed to be empty'],
    ['a NUL', 'a\0@example.com', 'email must not contain a NUL or control character'],
  ])('refuses %s with its own message', (_what, address, message) => {
    expect(() => parseEmail(address)).toThrow(`Validation error: ${message}`);
  });
});
