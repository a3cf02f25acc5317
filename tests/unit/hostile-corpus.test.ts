import { HOSTILE_CLASSES } from '../support/hostile-corpus';

describe('the hostile corpus', () => {
  it('has more than 20 classes, each named once', () => {
    const names = HOSTILE_CLASSES.map(({ name }) => name);

    expect(names.length).toBeGreaterThan(20);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(HOSTILE_CLASSES)('has 30 different strings of the class $name', ({ strings }) => {
    expect(new Set(strings).size).toBe(30);
  });
});
