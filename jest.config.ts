// Not UTC: a time that is read in the zone of the process must show.
process.env['TZ'] = 'Asia/Kolkata';

import type { Config } from 'jest';

const shared = {
  roots: ['<rootDir>/src', '<rootDir>/tests'],
  transform: {
    '^.+\\.ts$': 'ts-jest',
    // Published as ES modules only, which Jest loads by itself from Node 24 on.
    '/@faker-js/.+\\.js$': ['ts-jest', { tsconfig: { allowJs: true } }],
  },
  transformIgnorePatterns: ['/node_modules/(?!@faker-js/)'],
  testEnvironment: 'node',
} satisfies Config;

const config: Config = {
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/tests/unit/**/*.test.ts', '<rootDir>/tests/architecture.test.ts'],
    },
    {
      ...shared,
      displayName: 'service',
      testMatch: ['<rootDir>/tests/{integration,api,reliability,contracts}/**/*.test.ts'],
      globalSetup: '<rootDir>/tests/support/global-setup.ts',
      globalTeardown: '<rootDir>/tests/support/global-teardown.ts',
    },
    {
      ...shared,
      // Needs the rendered manifests: .ci/check-manifests.
      displayName: 'deployment',
      testMatch: ['<rootDir>/tests/deployment/**/*.test.ts'],
    },
  ],
  // One more than cores: tests of outages mostly wait.
  maxWorkers: 3,
  testTimeout: 30_000,
  collectCoverageFrom: ['src/**/*.ts'],
  coverageThreshold: {
    global: {},
    './src/services/': { branches: 90 },
    './src/tools/': { branches: 90 },
    './src/kafka/': { branches: 90 },
    './src/redis/': { branches: 90 },
    './src/postgres/': { branches: 90 },
  },
};

export default config;
