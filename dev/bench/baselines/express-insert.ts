import { parseRegistration } from '../../../src/domain/registration';
import { accepted, config, find, insert, locationOf, notFound, alreadyRegistered } from './common';
import { createExpressApp } from './express-app';

// Express that inserts in the handler.
const app = createExpressApp();
app.post('/api/users', async (req, res) => {
  const registration = parseRegistration(req.body);
  if (await insert(registration)) {
    res.status(201).location(locationOf(registration.email)).json(accepted(registration.email));
  } else res.status(409).json(alreadyRegistered);
});
app.get('/api/users/:email', async (req, res) => {
  const user = await find(req.params.email);
  if (user === undefined) res.status(404).json(notFound);
  else res.json({ success: true, data: user });
});
app.listen(config.http.port);
