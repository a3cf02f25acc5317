import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { CSV_HEADER, csvLine } from '../../../src/tools/csv';
import { buildUser } from '../../support/builders';

/** What another program reads of it: strict in quotes, line ends and numbers of cells. */
const read = (csv: string): string[][] => parse(csv, { record_delimiter: '\r\n' });

const special = fc.string({ unit: fc.constantFrom(...Array.from('=+-@\t\r\n",;\'a ')) });
const text = fc.oneof(special, fc.string({ unit: 'binary' }));
const users = fc.array(
  fc
    .record({
      first_name: text,
      last_name: special,
      occupation: text,
    })
    .map((fields) => ({ ...buildUser(), ...fields })),
  { maxLength: 4 },
);

describe('CSV', () => {
  it('is read back as it was, by its header’s names', () => {
    fc.assert(
      fc.property(users, (rows) => {
        const [header = [], ...lines] = read(CSV_HEADER + rows.map((row) => csvLine(row, true)).join(''));

        const texts = rows.map((row) => header.map((column) => String(row[column as keyof typeof row])));
        expect(lines).toEqual(texts);
        expect(header).toEqual(Object.keys(buildUser()));
      }),
    );
  });

  it('has no cell that a spreadsheet would run, and changes no other', () => {
    fc.assert(
      fc.property(users, (rows) => {
        const safe = read(rows.map((row) => csvLine(row, false)).join(''));
        const raw = read(rows.map((row) => csvLine(row, true)).join(''));

        expect(safe.flat().filter((cell) => /^[=+\-@\t\r]/.test(cell))).toEqual([]);
        expect(safe).toEqual(raw.map((line) => line.map((cell) => cell.replace(/^(?=[=+\-@\t\r])/, "'"))));
      }),
    );
  });

  it('quotes only what needs it, and ends lines with CRLF', () => {
    const user = { ...buildUser(), first_name: 'Jo "J", Jr', last_name: '=1+1', occupation: "O'Neill; b" };

    expect(csvLine(user, false)).toBe(
      `1,"Jo ""J"", Jr",'=1+1,${user.email},non-binary,male,O'Neill; b,${user.created_at},${user.updated_at}\r\n`,
    );
  });
});
