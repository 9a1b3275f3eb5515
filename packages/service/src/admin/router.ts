import { ServiceError } from '../errors.ts';
import { AdminError } from './errors.ts';

export type AdminMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Match<H> {
  readonly handler: H;
  readonly params: Readonly<Record<string, string>>;
}

interface Route<H> {
  readonly segments: readonly string[];
  readonly methods: Map<string, H>;
}

/** Finds the handler of a method and a path: literal segments before `:parameters`, no regular expressions. */
export class Router<H> {
  readonly #routes: Route<H>[] = [];

  /** @throws ServiceError ROUTE_INVALID for a malformed pattern or one that is taken. */
  add(method: AdminMethod, pattern: string, handler: H): void {
    if (!/^\/$|^(\/(:?[A-Za-z_][A-Za-z0-9_]*|[A-Za-z0-9._~-]+))+$/.test(pattern)) {
      throw new ServiceError('ROUTE_INVALID', `route ${pattern} must look like /queues/:name`);
    }
    const segments = pattern.slice(1).split('/');
    const shape = segments.map((segment) => (segment.startsWith(':') ? ':' : segment)).join('/');
    let route = this.#routes.find(
      (one) => one.segments.map((segment) => (segment.startsWith(':') ? ':' : segment)).join('/') === shape,
    );
    if (route === undefined) {
      route = { segments, methods: new Map() };
      this.#routes.push(route);
      // Literal segments win over parameters, wherever both match.
      this.#routes.sort((a, b) => order(a.segments).localeCompare(order(b.segments)));
    } else if (route.segments.join('/') !== segments.join('/')) {
      throw new ServiceError(
        'ROUTE_INVALID',
        `route ${pattern} names its parameters unlike /${route.segments.join('/')}`,
      );
    }
    if (route.methods.has(method)) {
      throw new ServiceError('ROUTE_INVALID', `route ${method} ${pattern} is registered twice`);
    }
    route.methods.set(method, handler);
  }

  /** HEAD finds GET. @throws AdminError bad_request for a path that can't be decoded. */
  find(method: string, path: string): Match<H> | { readonly allow: readonly string[] } | undefined {
    const segments = path.slice(1).split('/');
    const wanted = method === 'HEAD' ? 'GET' : method;
    const allow = new Set<string>();
    for (const route of this.#routes) {
      const params = matched(route.segments, segments);
      if (params === undefined) continue;
      const handler = route.methods.get(wanted);
      if (handler !== undefined) return { handler, params };
      for (const one of route.methods.keys()) allow.add(one);
    }
    if (allow.has('GET')) allow.add('HEAD');
    return allow.size === 0 ? undefined : { allow: [...allow] };
  }
}

function order(segments: readonly string[]): string {
  return segments.map((segment) => (segment.startsWith(':') ? '1' : '0')).join('');
}

function matched(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, step] of pattern.entries()) {
    const given = segments[index]!;
    if (!step.startsWith(':')) {
      if (step !== given) return undefined;
    } else {
      if (given === '') return undefined;
      params[step.slice(1)] = decoded(given);
    }
  }
  return params;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new AdminError('bad_request', 'the path has a broken percent escape');
  }
}
