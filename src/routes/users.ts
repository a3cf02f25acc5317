import { Router, type RequestHandler } from 'express';
import { parseEmail } from '../domain/email';
import { encodeCursor, parsePage, type PageCursor, type PageRequest } from '../domain/pagination';
import { parseRegistration } from '../domain/registration';
import type { ErasureService } from '../services/erasure-service';
import type { IdempotentRegistrationService } from '../services/idempotent-registration-service';
import type { RegistrationService } from '../services/registration-service';
import type { RegistrationStatusService } from '../services/registration-status-service';
import type { UserQueryService } from '../services/user-query-service';
import type { ApiKey } from '../config/config';
import { apiKeyNameOf, requireApiKey } from '../http/middleware/api-key';
import { allowOnly } from '../http/middleware/error-handler';
import { idempotencyKeyOf } from '../http/middleware/idempotency-key';
import { parseJson } from '../http/middleware/json-body';
import { requestIdOf } from '../http/middleware/request-id';
import { sendJson } from '../http/send-json';

export interface UsersRouterDeps {
  readonly apiKeys: readonly ApiKey[];
  /** Without any, nobody can be erased over HTTP. */
  readonly adminApiKeys: readonly ApiKey[];
  readonly erasures: Pick<ErasureService, 'eraseOne'>;
  /** When Kafka holds nothing any more of what it holds now; undefined when that is never. */
  readonly kafkaCopiesEnd: () => Date | undefined;
  readonly registrations: Pick<RegistrationService, 'register'>;
  readonly idempotentRegistrations: Pick<IdempotentRegistrationService, 'register'>;
  readonly registrationStatus: Pick<RegistrationStatusService, 'find'>;
  readonly userQueries: Pick<UserQueryService, 'list' | 'findByEmail'>;
}

/** /api/users */
export function createUsersRouter(deps: UsersRouterDeps): Router {
  const { apiKeys, adminApiKeys, registrationStatus, userQueries } = deps;
  const router = Router();
  const mayRead = requireApiKey(apiKeys.length > 0 ? [...apiKeys, ...adminApiKeys] : []);

  router
    .route('/api/users')
    .post(parseJson, registerUser(deps))
    .get(mayRead, async (req, res) => {
      const page = parsePage(req.query);
      const { users, next, total } = await userQueries.list(page);
      if (next !== undefined) res.setHeader('Link', `<${pagePath(page, next)}>; rel="next"`);
      if (total !== undefined) res.setHeader('X-Total-Count', total);
      sendJson(res, 200, { success: true, count: users.length, data: users });
    })
    .all(allowOnly('GET', 'HEAD', 'POST'));

  const oneUser = router.route('/api/users/:email').get(mayRead, async (req, res) => {
    const user = await userQueries.findByEmail(parseEmail(req.params.email));
    sendJson(res, 200, { success: true, data: user });
  });
  const mayErase = adminApiKeys.length > 0;
  if (mayErase) oneUser.delete(requireApiKey(adminApiKeys, apiKeys), eraseUser(deps));
  oneUser.all(allowOnly('GET', 'HEAD', ...(mayErase ? ['DELETE'] : [])));

  // Open also when reading needs a key: who has registered waits for it.
  router
    .route('/api/users/:email/status')
    .get(async (req, res) => {
      const email = parseEmail(req.params.email);
      sendJson(res, 200, { success: true, data: { email, ...(await registrationStatus.find(email)) } });
    })
    .all(allowOnly('GET', 'HEAD'));

  return router;
}

function pagePath({ limit, createdFrom, createdBefore }: PageRequest, after: PageCursor): string {
  const from = createdFrom === undefined ? '' : `&created_from=${createdFrom}`;
  const before = createdBefore === undefined ? '' : `&created_before=${createdBefore}`;
  return `/api/users?limit=${limit}&cursor=${encodeCursor(after)}${from}${before}`;
}

function eraseUser({ erasures, kafkaCopiesEnd }: UsersRouterDeps): RequestHandler<{ email: string }> {
  return async (req, res) => {
    const email = parseEmail(req.params.email);
    const requestedBy = apiKeyNameOf(res) ?? '';
    const { erasedAt, row, finished } = await erasures.eraseOne(email, requestedBy, requestIdOf(res));
    const copiesEnd = kafkaCopiesEnd()?.toISOString().slice(0, 10);
    if (copiesEnd !== undefined) res.setHeader('Kafka-Copies-End', copiesEnd);
    const data = { email, erasedAt, row, finished };
    sendJson(res, 200, { success: true, message: 'User erased', data });
  };
}

function registerUser({ registrations, idempotentRegistrations }: UsersRouterDeps): RequestHandler {
  return async (req, res) => {
    const registration = parseRegistration(req.body);
    const key = idempotencyKeyOf(req);
    const requestId = requestIdOf(res);
    if (key === undefined) {
      await registrations.register(registration, requestId);
    } else {
      const result = await idempotentRegistrations.register({ key, registration, requestId });
      if (result === 'replayed') res.setHeader('Idempotency-Replayed', 'true');
    }
    const { email } = registration;
    res.setHeader('Location', `/api/users/${encodeURIComponent(email)}`);
    sendJson(res, 201, {
      success: true,
      message: 'User registration submitted successfully',
      data: { email },
    });
  };
}
