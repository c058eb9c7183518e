import js from '@eslint/js';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

const only = (target, from, message) => ({ target: `./sidecar/${target}`, from: `./sidecar/${from}`, message });

export default tseslint.config(
  { ignores: ['node_modules/', 'coverage/'] },
  js.configs.recommended,
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
        {
          zones: [
            only('core', 'flows', 'core is pure'),
            only('core', 'adapters', 'core is pure'),
            only('core', '*.ts', 'core is pure'),
            only('core', 'dev', 'core is pure'),
            only('flows', 'adapters', 'a flow declares the deps it needs; sidecar.ts wires them'),
            only('flows', 'flows', 'flows do not know each other; sidecar.ts wires them'),
            only('flows', '*.ts', 'a flow knows core only'),
            only('flows', 'dev', 'production code does not know dev'),
            only('adapters', 'flows', 'an adapter knows core only'),
            only('adapters', 'dev', 'production code does not know dev'),
            { target: './sidecar/*.ts', from: './sidecar/dev', message: 'production code does not know dev' },
          ],
        },
      ],
    },
  },
  {
    files: ['sidecar/core/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^(?!\\./|libphonenumber-js)', message: 'core is pure: no I/O, no clock, no randomness' },
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
  { files: ['**/*.d.ts'], rules: { 'import-x/no-default-export': 'off' } },
  {
    files: ['sidecar/test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unused-expressions': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
