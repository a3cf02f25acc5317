import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';

/** A certificate of `localhost` (not of 127.0.0.1), made for this run, and the authority that signed it. */
export interface Certificates {
  readonly certificate: string;
  readonly key: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  /** What a client has to trust. */
  readonly caFile: string;
}

const DNS_NAME = 2;

/** Settings of a Kafka listener with this certificate, for a user `service` of both mechanisms. */
export function saslSslSettings(
  { certificate, key }: Certificates,
  password: string,
): Record<string, string> {
  const inOneLine = (pem: string): string => pem.replaceAll(/\r?\n/g, '\\n');
  const modules = 'org.apache.kafka.common.security';
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.certificate.chain': inOneLine(certificate),
    'ssl.keystore.key': inOneLine(key),
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
    'listener.name.sasl_ssl.plain.sasl.jaas.config': `${modules}.plain.PlainLoginModule required user_service="${password}";`,
    'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
  };
}

/** Makes an authority and a certificate, as files that only this user may read. */
export async function makeCertificates(): Promise<Certificates> {
  const ca = await generate([{ name: 'commonName', value: 'An authority of this test run' }], {
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  });
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    ca: { key: ca.private, cert: ca.cert },
    extensions: [{ name: 'subjectAltName', altNames: [{ type: DNS_NAME, value: 'localhost' }] }],
  });
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  return {
    certificate: cert,
    key,
    certificateFile: write('server.crt', cert),
    keyFile: write('server.key', key),
    caFile: write('ca.crt', ca.cert),
  };
}
