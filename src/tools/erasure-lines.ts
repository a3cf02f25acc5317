import { createInterface } from 'node:readline';
import { parseEmail } from '../domain/email';
import { emailDigest } from '../domain/erasure';
import { ifValid } from '../domain/validator';
import type { ErasureReceipt } from '../services/erasure-service';
import type { ErasureTarget } from '../services/ports/stores';

// More would not fit into the memory that a tool may take in a pod.
const MAX_LINES = 100_000;
const DIGEST = /^sha256:([0-9a-f]{64})$/;
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** Without the email. `copiesEnd`: when Kafka's last copy does; undefined when that is never, or not known. */
export function toReceiptLine(receipt: ErasureReceipt, copiesEnd: Date | undefined): string {
  const { digest, erasedAt, row, finished } = receipt;
  const kafkaCopiesEnd = copiesEnd?.toISOString().slice(0, 10) ?? null;
  return JSON.stringify({ digest: `sha256:${digest}`, erasedAt, row, finished, kafkaCopiesEnd });
}

/**
 * Whom a line names: a receipt (the body of a DELETE's response is one, too), a digest or an email; undefined when it names
 * nobody. Infinity is now.
 */
export function toTarget(line: string): (ErasureTarget & { readonly asOfMs: number }) | undefined {
  const text = line.trim();
  const json = ifJson<Receipt & { data: Receipt }>(text);
  const receipt = json?.data ?? json;
  const name = receipt ? String(receipt.digest ?? receipt.email) : text;
  const asOfMs = receipt ? Date.parse(ISO_TIME.exec(String(receipt.erasedAt))?.[0] ?? '') : Infinity;
  if (Number.isNaN(asOfMs)) return undefined;
  const digest = DIGEST.exec(name.toLowerCase())?.[1];
  if (digest !== undefined) return { digest, asOfMs };
  // U+FFFD: what is no UTF-8 would be another email.
  const email = name.includes('\uFFFD') ? undefined : ifValid(() => parseEmail(name));
  return email === undefined ? undefined : { digest: emailDigest(email), email, asOfMs };
}

/** Each person once; blank lines do not count. `bad` lines name nobody: onBadLine gets a sentence for each. */
export async function readTargets(input: NodeJS.ReadableStream, onBadLine: (problem: string) => void) {
  const targets = new Map<string, ErasureTarget>();
  let [lines, bad] = [0, 0];
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    if (++lines > MAX_LINES) throw new Error(`more than ${MAX_LINES} lines: nothing was done, split them`);
    if (line.trim() === '') continue;
    const target = toTarget(line);
    if (!target) {
      bad += 1;
      onBadLine(`Line ${lines} is neither a valid email, a digest nor a receipt`);
      continue;
    }
    const known = targets.get(target.digest);
    const asOfMs = Math.max(target.asOfMs, known?.asOfMs ?? 0);
    targets.set(target.digest, { ...known, ...target, asOfMs });
  }
  return { targets: [...targets.values()], bad };
}

interface Receipt {
  readonly digest?: string;
  readonly email?: string;
  readonly erasedAt?: string;
}

function ifJson<T>(text: string): Partial<T> | undefined {
  try {
    return text.startsWith('{') ? (JSON.parse(text) as Partial<T>) : undefined;
  } catch {
    return undefined;
  }
}
