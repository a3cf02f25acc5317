import { readFileSync } from 'node:fs';

/** A call of docs/requests.http, its variables filled in. */
export interface HttpFileRequest {
  readonly title: string;
  /** The one that the title promises. */
  readonly status: number;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Reads what REST Client and the JetBrains IDEs both understand. Variables given here win over the file's own. */
export function readHttpFile(path: string, given: Readonly<Record<string, string>> = {}): HttpFileRequest[] {
  const [preface = '', ...sections] = readFileSync(path, 'utf8').split(/^### /m);
  const own = [...preface.matchAll(/^@(\w+) = (.+)$/gm)].map((match) => [match[1] ?? '', match[2] ?? '']);
  const variables = { ...(Object.fromEntries(own) as Record<string, string>), ...given };
  return sections.map((section) => parseRequest(fillIn(section, variables)));
}

function fillIn(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\{\{(\w+)\}\}/g, (_all, name: string) => {
    const value = variables[name];
    if (value === undefined) throw new Error(`{{${name}}} is set nowhere`);
    return value;
  });
}

function parseRequest(section: string): HttpFileRequest {
  const [head = '', ...body] = section.trim().split('\n\n');
  const [title = '', requestLine = '', ...headers] = head.split('\n');
  const [method = '', url = ''] = requestLine.split(' ');
  return {
    title,
    status: Number(/: (\d{3})$/.exec(title)?.[1]),
    method,
    url,
    headers: Object.fromEntries(headers.map((line) => line.split(': ', 2))) as Record<string, string>,
    body: body.length > 0 ? body.join('\n\n') : undefined,
  };
}
