import { Router } from 'express';
import { parseEmail } from '../domain/email';
import { parseRegistration } from '../domain/registration';
import type { RegistrationService } from '../services/registration-service';
import type { UserQueryService } from '../services/user-query-service';
import type { ApiKey } from '../config/config';
import { requireApiKey } from './middleware/api-key';
import { allowOnly } from './middleware/error-handler';
import { parseJson, requireJson } from './middleware/json-body';
import { requestIdOf } from './middleware/request-id';
import { parsePage } from './page';

export interface UsersRouterDeps {
  readonly apiKeys: readonly ApiKey[];
  readonly registrations: Pick<RegistrationService, 'register'>;
  readonly userQueries: Pick<UserQueryService, 'list' | 'findByEmail'>;
}

/** /api/users */
export function createUsersRouter({ apiKeys, registrations, userQueries }: UsersRouterDeps): Router {
  const router = Router();
  const mayRead = requireApiKey(apiKeys);

  router
    .route('/api/users')
    .post(requireJson, parseJson, async (req, res) => {
      const registration = parseRegistration(req.body);
      await registrations.register(registration, requestIdOf(res));
      const { email } = registration;
      res
        .status(201)
        .setHeader('Location', `/api/users/${encodeURIComponent(email)}`)
        .json({ success: true, message: 'User registration submitted successfully', data: { email } });
    })
    .get(mayRead, async (req, res) => {
      const users = await userQueries.list(parsePage(req.query));
      res.json({ success: true, count: users.length, data: users });
    })
    .all(allowOnly('GET', 'HEAD', 'POST'));

  router
    .route('/api/users/:email')
    .get(mayRead, async (req, res) => {
      const user = await userQueries.findByEmail(parseEmail(req.params.email));
      res.json({ success: true, data: user });
    })
    .all(allowOnly('GET', 'HEAD'));

  return router;
}
