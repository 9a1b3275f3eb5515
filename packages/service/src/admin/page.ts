import { createHash } from 'node:crypto';

/** An HTML page that is served as it is, with the headers that let it run its own scripts and nothing else. */
export interface Page {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Prepares a page. Inline `<script>` and `<style>` elements of the given text are allowed by their hashes, so injected
 * ones do not run; event attributes, `style=""` and everything from other origins are refused.
 */
export function makePage(html: string): Page {
  const scripts = hashes(html, /<script\b[^>]*>([\s\S]*?)<\/script>/gi);
  const styles = hashes(html, /<style\b[^>]*>([\s\S]*?)<\/style>/gi);
  const policy = [
    "default-src 'none'",
    `script-src ${scripts.join(' ') || "'none'"}`,
    `style-src ${styles.join(' ') || "'none'"}`,
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    // What comes from users can't become markup by a slip of the page's script: text is all that can be set.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return {
    body: Buffer.from(html),
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
    },
  };
}

function hashes(html: string, element: RegExp): string[] {
  return [...html.matchAll(element)]
    .filter((match) => match[1] !== '')
    .map((match) => `'sha256-${createHash('sha256').update(match[1]!).digest('base64')}'`);
}
