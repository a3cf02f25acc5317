import { sampleUser } from '../../../../dev/seed/sample-user';
import { parseRegistration } from '../../../../src/domain/registration';

const users = Array.from({ length: 2000 }, (_, index) => sampleUser(index + 1));
const different = (field: keyof (typeof users)[number]): Set<string> =>
  new Set(users.map((user) => user[field]));

describe('sampleUser', () => {
  it('makes users that the service accepts as they are', () => {
    expect(users.map(parseRegistration)).toEqual(users);
  });

  it('makes the n-th one the same each time, whichever was made before', () => {
    expect(sampleUser(1234)).toEqual(users[1233]);
    expect(sampleUser(1234)).toEqual(users[1233]);
  });

  it('gives each an email of its own, in a domain that receives none', () => {
    expect(different('email').size).toBe(users.length);
    expect(users.filter(({ email }) => !email.endsWith('@example.com'))).toEqual([]);
  });

  it('makes them differ as people do', () => {
    expect(different('firstName').size).toBeGreaterThan(500);
    expect(different('occupation').size).toBeGreaterThan(500);
    expect([...different('gender')].sort()).toEqual(['female', 'male', 'non-binary', 'prefer-not-to-say']);
    expect([...different('sex')].sort()).toEqual(['female', 'intersex', 'male']);
  });

  it('has names with accents, with blanks, and in other scripts', () => {
    const names = users.map(({ firstName, lastName }) => `${firstName}_${lastName}`);

    for (const kind of [/[áéóńł]/, / /, /\p{Script=Greek}/u, /\p{Script=Arabic}/u]) {
      expect(names.filter((name) => kind.test(name)).length).toBeGreaterThan(20);
    }
  });
});
