import type { ApiRole, Route } from '../../shared/api-route.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { Role } from '../../shared/trust.ts';
import type { Authenticator, Identity } from '../ports/trust.ts';

/** Who calls a route that asks for no token. It may do nothing that a role is asked for. */
const ANONYMOUS: Identity = { subject: 'anonymous', roles: [] };

const BEARER = /^Bearer +([\x21-\x7e]{1,4096})$/i;

/** What a caller shows of itself. */
export interface Caller {
  /** The Authorization header. */
  readonly authorization: string | undefined;
  /** Whom TLS has shown; it needs no token, and one that it sends is not looked at. */
  readonly device: Identity | undefined;
}

/**
 * Lets a caller through, or not: nobody may what no role was named for, and `admin` may all that somebody may.
 * @throws UNAUTHENTICATED without a known token, FORBIDDEN when the caller's roles may not
 */
export function admit(route: Route, caller: Caller, authenticator: Authenticator): Identity {
  if (route.roles.includes('anonymous')) return ANONYMOUS;
  const identity = caller.device ?? identifyToken(caller.authorization, authenticator);
  if (!mayCall(route.roles, identity.roles))
    throw new LanyardError({
      code: 'FORBIDDEN',
      message: `the role ${identity.roles.join(' and ')} may not ${route.method} ${route.path}`,
      hint: `roles that may: ${route.roles.join(', ')}`,
    });
  return identity;
}

function identifyToken(header: string | undefined, authenticator: Authenticator): Identity {
  const token = BEARER.exec(header ?? '')?.[1];
  if (token === undefined)
    throw new LanyardError({
      code: 'UNAUTHENTICATED',
      message: 'a token is needed',
      hint: 'send the header "Authorization: Bearer TOKEN"',
    });
  const identity = authenticator.authenticate(token);
  if (identity === undefined) throw new LanyardError({ code: 'UNAUTHENTICATED', message: 'this token is not known here' });
  return identity;
}

function mayCall(allowed: readonly ApiRole[], roles: readonly Role[]): boolean {
  return allowed.length > 0 && (roles.includes('admin') || roles.some((role) => allowed.includes(role)));
}

/**
 * A submitter manages its own jobs, an administrator all.
 * @throws LanyardError FORBIDDEN
 */
export function assertOwn(identity: Identity, job: { readonly id: number; readonly owner: string }): void {
  if (identity.roles.includes('admin') || identity.subject === job.owner) return;
  throw new LanyardError({
    code: 'FORBIDDEN',
    message: `job ${job.id} belongs to somebody else`,
    hint: 'its owner or an administrator may change it',
  });
}

/** @throws a plain error: a route for which nobody is named is a mistake of the program */
export function assertRoles(table: Readonly<Record<string, Route>>): void {
  for (const [name, route] of Object.entries(table))
    if (route.roles.length === 0) throw new Error(`route ${name} (${route.method} ${route.path}) names no role`);
}
