"""Modules of src/, their directions (tests/layout/test_includes.sh) and what each does (docs/architecture.txt)."""
import re
import sys


class Modules:
    def __init__(self, root):
        self.does = {}
        with open(root + '/docs/architecture.txt', encoding='utf-8') as file:
            for line in file:
                if not line.startswith('#') and ':' in line:
                    name, text = line.split(':', 1)
                    self.does[name] = text.strip()
        with open(root + '/tests/layout/test_includes.sh', encoding='utf-8') as file:
            table = re.search(r'declare -A may_include=\((.*?)\n\)', file.read(), re.S)
        if not table:
            sys.exit('tests/layout/test_includes.sh: no table may_include: has it moved?')
        self.uses = {name: set(used.split()) for name, used in re.findall(r'\[(\w+)\]="([^"]*)"', table.group(1))}
        for name in self.uses:
            if name not in self.does:
                sys.exit('docs/architecture.txt: no line for the module %s' % name)

    def all_below(self, name):
        """What a module reaches over any number of includes."""
        found = set()
        for other in self.uses[name]:
            found |= {other} | self.all_below(other)
        return found

    def direct(self, name):
        """The modules it may include that none of the others reaches."""
        return {other for other in self.uses[name]
                if not any(other in self.all_below(middle) for middle in self.uses[name] - {other})}

    def bottom_up(self):
        """Names in an order in which each comes after what it may include; as in docs/architecture.txt where there is a choice."""
        left, done = [name for name in self.does if name in self.uses], []
        while left:
            name = next(n for n in left if self.uses[n] <= set(done) | {n})
            left.remove(name)
            done.append(name)
        return done
