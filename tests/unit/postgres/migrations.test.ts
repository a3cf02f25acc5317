import { loadConfig } from '../../../src/config/config';
import { Migrations } from '../../../src/postgres/migrations';
import { RecordingLogger } from '../../support/recording-logger';

describe('Migrations', () => {
  it('has nothing to wait for where the process does not migrate', () => {
    const config = loadConfig({ MIGRATE_ON_START: 'false' }).postgres;
    const migrations = new Migrations({ config, log: new RecordingLogger() });
    const before = migrations.wasAttempted;

    migrations.start();

    expect([before, migrations.wasAttempted]).toEqual([false, true]);
  });
});
