import js from '@eslint/js';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** The wings, the lowest first: each imports only those before it. docs/architecture.md says why. */
const WINGS = [
  'platform',
  'audit',
  'access',
  'hl7',
  'ris',
  'release',
  'texts',
  'linking',
  'images',
  'worklist',
  'portal',
  'operators',
  'backup',
  'monitoring',
  'app',
  'doctor',
];

const zone = (target, from, message) => ({ target: `./sidecar/${target}`, from: `./sidecar/${from}`, message });
const wing = (name, index) => [
  ...WINGS.slice(index + 1).map((above) => zone(name, above, `${name}/ is beneath ${above}/`)),
  zone(`${name}/rules`, `${name}/flows`, 'a rule is pure'),
  zone(`${name}/rules`, `${name}/io`, 'a rule is pure'),
  zone(`${name}/flows`, `${name}/io`, 'a flow declares the deps it needs; the wing wires them'),
  zone(`${name}/flows`, `${name}/flows`, 'flows do not know each other; the wing wires them'),
  zone(`${name}/io`, `${name}/flows`, 'io knows no flow'),
  ...WINGS.flatMap((other) => [
    zone(`${name}/rules`, `${other}/*.ts`, 'a rule is pure'),
    zone(`${name}/flows`, `${other}/*.ts`, 'a flow knows rules only'),
    ...(other === name
      ? []
      : [
          zone(`${name}/rules`, `${other}/flows`, 'a rule is pure'),
          zone(`${name}/rules`, `${other}/io`, 'a rule is pure'),
          zone(`${name}/flows`, `${other}/flows`, 'flows do not know each other'),
          zone(`${name}/flows`, `${other}/io`, 'a flow declares the deps it needs'),
          zone(`${name}/io`, `${other}/flows`, 'io knows no flow'),
        ]),
  ]),
  ...['postgres', 'net'].flatMap((outside) => [
    zone(`${name}/rules`, `platform/${outside}`, 'a rule is pure'),
    zone(`${name}/flows`, `platform/${outside}`, 'a flow declares the deps it needs'),
  ]),
  zone(name, 'dev', 'production code does not know dev'),
  zone(name, '*.ts', 'a wing does not know what starts it'),
];

export default tseslint.config(
  { ignores: ['node_modules/', 'coverage/'] },
  js.configs.recommended,
  { files: ['*.cjs'], languageOptions: { sourceType: 'commonjs', globals: { __dirname: 'readonly' } } },
  {
    files: ['sidecar/**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.js', '.json'] })] },
    rules: {
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'import-x/no-cycle': 'error',
      'import-x/no-default-export': 'error',
      'import-x/no-restricted-paths': [
        'error',
        { zones: [...WINGS.flatMap(wing), zone('*.ts', 'dev', 'production code does not know dev')] },
      ],
    },
  },
  {
    files: ['sidecar/*/rules/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^(?!\\.{1,2}/|libphonenumber-js)', message: 'a rule is pure: no I/O, no clock, no randomness' },
          ],
        },
      ],
      'no-restricted-globals': ['error', 'process', 'fetch', 'setTimeout', 'setInterval', 'performance', 'crypto'],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'time is passed in' },
        { object: 'Math', property: 'random', message: 'randomness is passed in' },
      ],
    },
  },
  {
    files: ['sidecar/*/flows/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(?!\\.{1,2}/|node:stream$)',
              message: 'a flow knows no package: it declares the deps it needs',
              allowTypeImports: true,
            },
          ],
        },
      ],
    },
  },
  { files: ['**/*.d.ts'], rules: { 'import-x/no-default-export': 'off' } },
  {
    files: ['sidecar/test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unused-expressions': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
