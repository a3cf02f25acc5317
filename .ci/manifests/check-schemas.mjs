// Holds rendered manifests against the schemas of Kubernetes and of the custom resources: `node check-schemas.mjs FILE...`
// Twice, because each sees what the other misses: JSON Schema knows formats and ranges, the type checker refuses unknown
// fields. Exit 1 with one line for each finding.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';

const customResources = {
  'argoproj.io': '@kubernetes-models/argo-cd',
  'external-secrets.io': '@kubernetes-models/external-secrets',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

const findings = [];
const declarations = [];

for (const file of process.argv.slice(2)) {
  for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
    const object = document.toJS();
    if (object !== null) await checkSchema(basename(file), object);
  }
}
checkTypes();

for (const finding of findings) console.error(finding);
console.log(`${declarations.length} objects, ${findings.length} findings`);
process.exit(findings.length === 0 && declarations.length > 0 ? 0 : 1);

async function checkSchema(file, object) {
  const name = `${file}: ${object.kind} ${object.metadata?.name}`;
  const module = moduleOf(object.apiVersion);
  const Model = (await import(module).catch(() => ({})))[object.kind];
  if (Model === undefined) {
    findings.push(`${name}: there is no schema of ${object.apiVersion}`);
    return;
  }
  try {
    new Model(object).validate();
  } catch (error) {
    findings.push(`${name}: ${error.message}`);
  }
  const variable = `object${declarations.length}`;
  declarations.push({
    name,
    text: `export const ${variable}: import('${module}').I${object.kind} = ${JSON.stringify(object)};`,
  });
}

function moduleOf(apiVersion) {
  const group = apiVersion.split('/')[0];
  return `${customResources[group] ?? 'kubernetes-models'}/${apiVersion}`;
}

// One declaration a line, so that a line number tells the object.
function checkTypes() {
  const folder = fileURLToPath(new URL('./node_modules/.checked/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const file = `${folder}objects.ts`;
  writeFileSync(file, declarations.map(({ text }) => text).join('\n'));
  const program = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    module: ts.ModuleKind.Node20,
    moduleResolution: ts.ModuleResolutionKind.Node16,
  });
  for (const { messageText, start, file: source } of ts.getPreEmitDiagnostics(program)) {
    const line = source?.getLineAndCharacterOfPosition(start ?? 0).line ?? 0;
    const message = ts.flattenDiagnosticMessageText(messageText, ' ').split('. ').at(-1);
    findings.push(`${declarations[line]?.name ?? 'all'}: ${message}`);
  }
}
