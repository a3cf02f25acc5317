import { Router, type RequestHandler } from 'express';
import { parseEmail } from '../domain/email';
import { encodeCursor, parsePage } from '../domain/pagination';
import { parseRegistration } from '../domain/registration';
import type { IdempotentRegistrationService } from '../services/idempotent-registration-service';
import type { RegistrationService } from '../services/registration-service';
import type { RegistrationStatusService } from '../services/registration-status-service';
import type { UserQueryService } from '../services/user-query-service';
import type { ApiKey } from '../config/config';
import { requireApiKey } from '../http/middleware/api-key';
import { allowOnly } from '../http/middleware/error-handler';
import { idempotencyKeyOf } from '../http/middleware/idempotency-key';
import { parseJson } from '../http/middleware/json-body';
import { requestIdOf } from '../http/middleware/request-id';
import { sendJson } from '../http/send-json';

export interface UsersRouterDeps {
  readonly apiKeys: readonly ApiKey[];
  readonly registrations: Pick<RegistrationService, 'register'>;
  readonly idempotentRegistrations: Pick<IdempotentRegistrationService, 'register'>;
  readonly registrationStatus: Pick<RegistrationStatusService, 'find'>;
  readonly userQueries: Pick<UserQueryService, 'list' | 'findByEmail'>;
}

/** /api/users */
export function createUsersRouter(deps: UsersRouterDeps): Router {
  const { apiKeys, registrationStatus, userQueries } = deps;
  const router = Router();
  const mayRead = requireApiKey(apiKeys);

  router
    .route('/api/users')
    .post(parseJson, registerUser(deps))
    .get(mayRead, async (req, res) => {
      const page = parsePage(req.query);
      const { users, next } = await userQueries.list(page);
      if (next !== undefined)
        res.setHeader('Link', `</api/users?limit=${page.limit}&cursor=${encodeCursor(next)}>; rel="next"`);
      sendJson(res, 200, { success: true, count: users.length, data: users });
    })
    .all(allowOnly('GET', 'HEAD', 'POST'));

  router
    .route('/api/users/:email')
    .get(mayRead, async (req, res) => {
      const user = await userQueries.findByEmail(parseEmail(req.params.email));
      sendJson(res, 200, { success: true, data: user });
    })
    .all(allowOnly('GET', 'HEAD'));

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
