// Runs inside a container of the image (`node --input-type=module -e`): prints what its process may do and what is there.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const status = readFileSync('/proc/self/status', 'utf8');
const field = (name) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
const write = (path) => {
  try {
    writeFileSync(path, 'x');
    return 'written';
  } catch (error) {
    return error.code;
  }
};
const programs = ['sh', 'bash', 'dash', 'busybox', 'ash', 'npm', 'npx', 'apt', 'apk'];
const files = readdirSync('/app', { recursive: true }).map((name) => join('/app', name));

console.log(
  JSON.stringify({
    user: `${process.getuid()}:${process.getgid()}`,
    capabilities: ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map(field).join(' '),
    noNewPrivileges: field('NoNewPrivs'),
    writes: {
      app: write('/app/x'),
      dist: write('/app/dist/main.js'),
      root: write('/x'),
      tmp: write('/tmp/x'),
    },
    programs: programs.filter(
      (name) => spawnSync(name, { env: { PATH: process.env.PATH } }).error === undefined,
    ),
    notOwnedByRoot: files.filter((file) => statSync(file).uid !== 0 || (statSync(file).mode & 0o022) !== 0),
    files: files.filter((file) => !file.startsWith('/app/node_modules/')),
    packages: files
      .filter((file) => file.endsWith('/package.json'))
      .map((file) => file.slice('/app/'.length)),
  }),
);
