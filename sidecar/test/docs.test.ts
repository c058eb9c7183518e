import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect } from 'chai';

const ROOT = join(import.meta.dirname, '../..');

/** What a page says that can be checked: something in code, a link, or a script of npm. */
interface Mention {
  readonly kind: 'code' | 'link' | 'script';
  readonly text: string;
  readonly line: number;
}

const FENCE = /^```.*?^```/gms;
const CODE = /(?<!`)(`+)(?!`)(.*?[^`])\1(?!`)/gs;
const LINK = /\]\(([^)\s]+)\)/g;
const SCRIPT = /\bnpm (?:run (?:--silent )?([\w:-]+)|(test|start)\b)/g;

/** The same length and the same lines, so that what is found later knows where it stands. */
const blank = (text: string): string => text.replace(/[^\n]/g, ' ');

function mentions(page: string): Mention[] {
  const found: Mention[] = [];
  const note = (kind: Mention['kind'], text: string, offset: number): void => {
    found.push({ kind, text, line: page.slice(0, offset).split('\n').length });
  };
  const words = (text: string, offset: number): void => {
    for (const word of text.matchAll(/[^\s"'`(),;=]+/g)) note('code', word[0], offset + word.index);
  };
  for (const { 1: run, 2: short, index } of page.matchAll(SCRIPT)) note('script', run ?? short ?? '', index);
  const prose = page.replace(FENCE, (fence, offset: number) => {
    words(fence, offset);
    return blank(fence);
  });
  const paragraphs = prose.matchAll(/(?:[^\n]+\n?)+/g);
  for (const { 0: paragraph, index: start } of paragraphs) {
    const plain = paragraph.replace(CODE, (_span, _ticks, text: string, offset: number) => {
      words(text, start + offset);
      return blank(text);
    });
    for (const { 1: target = '', index } of plain.matchAll(LINK)) note('link', target, start + index);
  }
  return found;
}

/** A pattern or a stand-in for a name, not a name: `sql/NNNN-what.sql`, `images/…jpg`, `sidecar/*.ts`. */
const PLACEHOLDER = /[*?{}<>$…]|\.\.\.|NNNN/;
/** Not a path of this repository: an address, or a path of the machine. */
const ELSEWHERE = /^(?:[a-z]+:\/\/|mailto:|[/~@])/;
const SOURCE = /\.(?:ts|js|json|ya?ml|sql|md|sh|lua|py)$/;

const TOP = ['sidecar', 'sql', 'docs', 'orthanc', '.ci'];
const WINGS = readdirSync(join(ROOT, 'sidecar'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** What is made here and not kept: a measurement's `bench.json`, the folder `secrets/`. */
const IGNORED = readFileSync(join(ROOT, '.gitignore'), 'utf8').split('\n');

const isThere = (path: string): boolean =>
  existsSync(join(ROOT, path)) && (!path.endsWith('/') || statSync(join(ROOT, path)).isDirectory());

/** What is wrong with a word in code that may be a path, or `null`. */
function wrongPath(word: string): string | null {
  const path = word.replace(/^\.\//, '').replace(/[.:]+$|:\d+$|#.*$/, '');
  if (PLACEHOLDER.test(path) || ELSEWHERE.test(path)) return null;
  const [first = '', ...rest] = path.split('/');
  if (IGNORED.includes(rest.length === 0 ? first : `${first}/`)) return null;
  if (TOP.includes(first) && rest.length > 0) return isThere(path) ? null : 'does not exist';
  const looksLikeCode = SOURCE.test(path) || (WINGS.includes(first) && rest.length > 0);
  if (!looksLikeCode) return null;
  return rest.length === 0 && isThere(path) ? null : 'is not a path from the top of the repository';
}

function wrongLink(target: string, page: string): string | null {
  if (ELSEWHERE.test(target) || target.startsWith('#')) return null;
  const [path = ''] = target.split('#');
  return isThere(join(dirname(page), path)) ? null : 'does not exist';
}

const SCRIPTS: unknown = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const hasScript = (name: string): boolean => {
  const scripts: unknown =
    typeof SCRIPTS === 'object' && SCRIPTS !== null && 'scripts' in SCRIPTS ? SCRIPTS.scripts : null;
  return typeof scripts === 'object' && scripts !== null && Object.hasOwn(scripts, name);
};

/** Each wrong mention of one kind, as `docs/ris.md:12: sidecar/x.ts does not exist`. */
function wrong(kind: Mention['kind'], page: string, text: string): string[] {
  return mentions(text).flatMap((mention) => {
    if (mention.kind !== kind) return [];
    const why = {
      code: wrongPath,
      link: (target: string) => wrongLink(target, page),
      script: (name: string) => (hasScript(name) ? null : 'is not a script of package.json'),
    }[kind](mention.text);
    return why === null ? [] : [`${page}:${mention.line}: ${mention.text} ${why}`];
  });
}

const PAGES = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const inAll = (kind: Mention['kind']): string[] =>
  PAGES.flatMap((page) => wrong(kind, page, readFileSync(join(ROOT, page), 'utf8')));

describe('the documents', () => {
  it('name only paths that exist, each in full', () => {
    expect(inAll('code')).to.deep.equal([]);
  });

  it('link only to what exists', () => {
    expect(inAll('link')).to.deep.equal([]);
  });

  it('name only scripts that npm can run', () => {
    expect([...new Set(inAll('script'))]).to.deep.equal([]);
  });

  const cases: readonly (readonly [string, Mention['kind'], string, string | null])[] = [
    ['a path that exists', 'code', 'see `sidecar/main.ts`', null],
    ['a folder that exists', 'code', 'see `sql/`', null],
    ['a file at the top', 'code', '`package.json` and `.env.example`', null],
    ['a line of a file', 'code', '`sidecar/main.ts:12`', null],
    ['a word with a slash', 'code', '`read/write`, `and/or`, `/readyz`, `https://x.example/a.json`', null],
    ['a placeholder', 'code', '`sql/NNNN-what.sql`, `sidecar/*/rules/`, `images/…jpg`', null],
    ['a path that is gone', 'code', 'see\n`sidecar/core/match.ts`', 'sidecar/core/match.ts does not exist'],
    ['a folder that is gone', 'code', '`sidecar/adapters/`', 'sidecar/adapters/ does not exist'],
    ['a file as a folder', 'code', '`sidecar/main.ts/`', 'sidecar/main.ts/ does not exist'],
    ['a path in a block', 'code', '```\nnode sidecar/gone.ts\n```', 'sidecar/gone.ts does not exist'],
    ['a path in a command', 'code', '`X=sql/gone.sql node`', 'sql/gone.sql does not exist'],
    ['a path of a wing', 'code', '`ris/rules/fold.ts`', 'ris/rules/fold.ts is not a path from the top'],
    ['a folder of a wing', 'code', '`ris/rules/`', 'ris/rules/ is not a path from the top'],
    ['a test without its folder', 'code', '`test/docs.test.ts`', 'test/docs.test.ts is not a path from the top'],
    ['a file name alone', 'code', '`docs.test.ts`', 'docs.test.ts is not a path from the top'],
    ['a link that works', 'link', '[one](README.md#settings) [two](#x) [three](https://x.example)', null],
    ['a link that does not', 'link', '[one](docs/gone.md#x)', 'docs/gone.md#x does not exist'],
    ['a script', 'script', '`npm run demo -- --once` or npm test', null],
    ['no script', 'script', '`npm run tset`', 'tset is not a script'],
  ];
  for (const [what, kind, text, expected] of cases) {
    it(`are checked for ${what}`, () => {
      const [found = null, ...more] = wrong(kind, 'README.md', text);
      expect(more).to.deep.equal([]);
      if (expected === null) expect(found).to.equal(null);
      else
        expect(found)
          .to.match(/^README\.md:\d+: /)
          .and.include(expected);
    });
  }

  it('are read: something of each kind is found in them', () => {
    const all = PAGES.flatMap((page) => mentions(readFileSync(join(ROOT, page), 'utf8')));
    const paths = all.filter(({ kind, text }) => kind === 'code' && text.startsWith('sidecar/'));
    expect(paths).to.have.length.above(100);
    expect(all.filter(({ kind }) => kind === 'link')).to.have.length.above(5);
    expect(all.filter(({ kind }) => kind === 'script')).to.have.length.above(5);
  });
});

describe('the walks of the architecture', () => {
  const page = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
  /** The wings of a step, of which there should be one: the top folders of the files in its second column. */
  const wingsOf = (row: string): string => {
    const paths = (row.split('|')[2] ?? '').matchAll(/`sidecar\/([^/`]+)\//g);
    return [...new Set([...paths].map(([, wing = '']) => wing))].join();
  };

  for (const [title, most] of [
    ['An image', 12],
    ['A report', 15],
  ] as const) {
    it(`change wing as often as is said: ${title}`, () => {
      const walk = page.split(/^##+ /m).find((section) => section.startsWith(title)) ?? '';
      const steps = [...walk.matchAll(/^\| \d+ .*$/gm)].map(([row]) => wingsOf(row));
      expect(steps).to.have.length.above(20);
      for (const wing of steps) expect(WINGS).to.include(wing);
      const changes = steps.filter((wing, index) => index > 0 && wing !== steps[index - 1]).length;
      expect(walk).to.include(`This walk changes wing ${changes} times. The goal is at most ${most}.`);
      expect(changes).to.be.at.most(most);
    });
  }
});

describe('a wing', () => {
  const files = (folder: string): string[] =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name));

  for (const wing of WINGS.filter((name) => name !== 'test')) {
    it(`has no two files of one name: ${wing}`, () => {
      const paths = files(join(ROOT, 'sidecar', wing));
      expect(paths).to.not.deep.equal([]);
      const several = [...Map.groupBy(paths, (path) => basename(path)).values()].filter(({ length }) => length > 1);
      expect(several).to.deep.equal([]);
    });

    it(`names no vendor in its rules and flows: ${wing}`, () => {
      const floors = files(join(ROOT, 'sidecar', wing)).filter((path) => /\/(?:rules|flows)\/[^/]+$/.test(path));
      const naming = floors.filter((path) => /twilio|azure/i.test(readFileSync(path, 'utf8')));
      expect(naming).to.deep.equal([]);
    });
  }
});
