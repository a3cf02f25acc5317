import { UserNotFoundError } from '../domain/errors';
import type { User } from '../domain/stored-user';
import { ifAvailable, runInBackground } from './if-available';
import type { PageRequest } from '../domain/pagination';
import type { UserCache, Users, UsersPage } from './ports/stores';
import type { Logger } from './ports/telemetry';

export interface UserQueryServiceDeps {
  readonly completed: UserCache;
  readonly users: Pick<Users, 'findByEmail' | 'list'>;
  readonly log: Pick<Logger, 'error'>;
}

/** Reads stored users; by email from the cache first. Throws UnavailableError when PostgreSQL is needed and unavailable. */
export class UserQueryService {
  constructor(private readonly deps: UserQueryServiceDeps) {}

  list(page: PageRequest): Promise<UsersPage> {
    return this.deps.users.list(page);
  }

  /** Throws UserNotFoundError when there is no row (also while the registration is pending). */
  async findByEmail(email: string): Promise<User> {
    const { completed, users, log } = this.deps;
    const cached = await ifAvailable(completed.find(email));
    if (cached) return cached;

    const user = await users.findByEmail(email);
    if (user === undefined) throw new UserNotFoundError('no row has this email');
    runInBackground(completed.put([user]), log);
    return user;
  }
}
