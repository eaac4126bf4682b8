"""What the site needs beside the pages: files outside docs/ that they link, and plain names.

The repository's other files lie under ``repository/`` on the site; source code is a page there.
"""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
LINKED = ('*.md', 'LICENSE', 'notebooks/*.ipynb', 'configs/**/*.py')


def on_files(files, config):
    """Adds the files that pages link outside of docs/."""
    for path in sorted(path for pattern in LINKED for path in ROOT.glob(pattern)):
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == '.py':
            text = f"# `{name}`\n\n````python\n{path.read_text('utf-8')}````\n"
            files.append(File.generated(config, f'repository/{name}.md', content=text))
        else:
            files.append(File.generated(config, f'repository/{name}', abs_src_path=str(path)))
    return files


def on_page_markdown(markdown, page, **_):
    """Links as they are in the repository become those of the site."""
    if page.file.src_uri.startswith('repository/'):
        markdown = re.sub(r'\]\(docs/', '](../', markdown)
    else:
        markdown = re.sub(r'\]\(\.\./', '](repository/', markdown)
    return re.sub(r'(\]\([^)#\s:]+\.py)(?=[)#])', r'\1.md', markdown)


def on_page_content(html, **_):
    """References of docstrings, ``:class:`X` ``, become names."""
    return re.sub(r':(?:class|func|meth|mod|data):(?=<code>)', '', html)
