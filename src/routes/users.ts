import { Router, type RequestHandler } from 'express';
import { parseEmail } from '../domain/email';
import type { RegistrationStatusService } from '../services/registration-status-service';
import type { UserQueryService } from '../services/user-query-service';
import type { ApiKey } from '../config/config';
import { createAcceptRegistration, type AcceptRegistrationDeps } from './accept-registration';
import { requireApiKey } from '../http/middleware/api-key';
import { allowOnly } from '../http/middleware/error-handler';
import { parseJson } from '../http/middleware/json-body';
import { nextLink, parsePage } from './pagination';
import { sendJson } from '../http/send-json';

export interface UsersRouterDeps extends AcceptRegistrationDeps {
  readonly apiKeys: readonly ApiKey[];
  readonly registrationStatus: Pick<RegistrationStatusService, 'find'>;
  readonly userQueries: Pick<UserQueryService, 'list' | 'findByEmail'>;
}

/** /api/users */
export function createUsersRouter({
  apiKeys,
  registrationStatus,
  userQueries,
  ...accepting
}: UsersRouterDeps): Router {
  const router = Router();
  const mayRead = requireApiKey(apiKeys);

  router
    .route('/api/users')
    .post(parseJson, register(accepting))
    .get(mayRead, async (req, res) => {
      const page = parsePage(req.query);
      const { users, next } = await userQueries.list(page);
      if (next !== undefined) res.setHeader('Link', nextLink(page.limit, next));
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

  // Open also when reading needs a key: whoever has registered waits for it.
  router
    .route('/api/users/:email/status')
    .get(async (req, res) => {
      const email = parseEmail(req.params.email);
      sendJson(res, 200, { success: true, data: { email, ...(await registrationStatus.find(email)) } });
    })
    .all(allowOnly('GET', 'HEAD'));

  return router;
}

function register(deps: AcceptRegistrationDeps): RequestHandler {
  const accept = createAcceptRegistration(deps);
  return async (req, res) => {
    const { email } = await accept(req, res);
    res.setHeader('Location', `/api/users/${encodeURIComponent(email)}`);
    sendJson(res, 201, {
      success: true,
      message: 'User registration submitted successfully',
      data: { email },
    });
  };
}
