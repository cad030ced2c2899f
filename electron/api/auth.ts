import type { ApiRole, Route } from '../../shared/api.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { Authenticator, Identity } from '../ports.ts';

/** Who calls a route that asks for no token. It may do nothing that a role is asked for. */
const ANONYMOUS: Identity = { subject: 'anonymous', role: 'viewer' };

const BEARER = /^Bearer +([\x21-\x7e]{1,4096})$/i;

/**
 * Lets a caller through, or not: nobody may what no role was named for, and `admin` may all that somebody may.
 * @param header the Authorization header
 * @throws UNAUTHENTICATED without a known token, FORBIDDEN when the token's role may not
 */
export function admit(route: Route, header: string | undefined, authenticator: Authenticator): Identity {
  if (route.roles.includes('anonymous')) return ANONYMOUS;
  const token = BEARER.exec(header ?? '')?.[1];
  if (token === undefined)
    throw new LanyardError({
      code: 'UNAUTHENTICATED',
      message: 'a token is needed',
      hint: 'send the header "Authorization: Bearer TOKEN"',
    });
  const identity = authenticator.authenticate(token);
  if (identity === undefined) throw new LanyardError({ code: 'UNAUTHENTICATED', message: 'this token is not known here' });
  if (!mayCall(route.roles, identity.role))
    throw new LanyardError({
      code: 'FORBIDDEN',
      message: `a token of the role ${identity.role} may not ${route.method} ${route.path}`,
      hint: `roles that may: ${route.roles.join(', ')}`,
    });
  return identity;
}

function mayCall(roles: readonly ApiRole[], role: Identity['role']): boolean {
  return roles.length > 0 && (role === 'admin' || roles.includes(role));
}

/** @throws a plain error: a route for which nobody is named is a mistake of the program */
export function assertRoles(table: Readonly<Record<string, Route>>): void {
  for (const [name, route] of Object.entries(table))
    if (route.roles.length === 0) throw new Error(`route ${name} (${route.method} ${route.path}) names no role`);
}
