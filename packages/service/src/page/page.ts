import { PAGE_SCRIPT } from './script.ts';
import { PAGE_STYLE } from './style.ts';

export interface PageParts {
  /** In the window's title and the page's head: `queue`, `deploy`. */
  readonly app: string;
  /** CSS after the family's own. */
  readonly style?: string;
  /** HTML of `<main>`; what comes from users or hosts never stands here, but is set as text by the script. */
  readonly main: string;
  /** A module, run when the page is there, which has `rookery`: see `program`. */
  readonly script: string;
}

/** One page of the family: self-contained, light and dark, for `admin.page`. */
export function page({ app, style = '', main, script }: PageParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Rookery ${app}</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(ICON)}">
<style>${PAGE_STYLE}${style}</style>
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header class="page">
<p class="brand">Rookery <b>${app}</b></p>
<p id="connection" role="status"><span class="sign" aria-hidden="true">…</span> <span class="said">connecting</span></p>
</header>
<form id="token-form" hidden><label>This page needs the admin token <input id="token" type="password" autocomplete="off" required></label> <button>Open</button></form>
<main id="main" tabindex="-1">
${main}
</main>
<script type="module">${inElement(PAGE_SCRIPT + script)}</script>
</body>
</html>
`;
}

/** No text of a script ends its element. */
function inElement(script: string): string {
  return script.replace(/<(?=\/script|!--)/gi, '\\x3c');
}

const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M1 5h4v4H1zM6 5h4v4H6zM11 5h4v4h-4zM3.500 10h4v4h-4zM8.500 10h4v4h-4z" fill="#3b6ea5"/></svg>';
