import { requestText, stampPrefix } from '../../../core/action/own-steps.ts';
import type { ApiRequest } from '../../../core/alert/alert.ts';
import { objectOf, sensorText } from '../../../core/alert/sensor-text.ts';
import type { AuditRequest, Fields } from './request.ts';

/** Who it really was: the authenticated account, also where it acts as another. */
export function apiRequestOf(event: Fields, request: AuditRequest): ApiRequest | undefined {
  const account = sensorText(objectOf(event.user)?.username, 256);
  if (account === undefined) return undefined;
  const { verb, resource, subresource, namespace, name } = request;
  const acting = objectOf(event.impersonatedUser);
  return {
    account,
    ...(acting && { impersonates: sensorText(acting.username, 256) ?? 'somebody' }),
    verb,
    ...stampOf(event, request),
    ...(resource !== undefined && { resource }),
    ...(subresource !== undefined && { subresource }),
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
  };
}

const stamped = new RegExp(`^${stampPrefix}([\\w-]{1,1009})$`);

function stampOf({ userAgent }: Fields, { verb, path }: AuditRequest): Pick<ApiRequest, 'stamp'> {
  const [, sealed] = typeof userAgent === 'string' && userAgent.length <= 1_024 ? (stamped.exec(userAgent) ?? []) : [];
  if (sealed === undefined) return {};
  const [plainPath = ''] = path.split('?', 1);
  return { stamp: { request: requestText({ method: verb, path: plainPath }), sealed } };
}
