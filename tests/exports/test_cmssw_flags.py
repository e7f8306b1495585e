"""The CMSSW package and the library under the flags that CMSSW's releases compile with, by both of its compilers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.exports.cpp_build import CPP, ROOT

PLUGINS = ROOT / "exports" / "cmssw" / "E2EGraph" / "Tagger" / "plugins"
STANDINS = Path(__file__).with_name("cmssw_standins")

# cms-sw/cmsdist, scram-tools.file/tools/gcc: gcc-cxxcompiler.xml and env.sh, without what links or names a machine.
# -Werror=missing-braces: in the list of releases 14_0 to 15_x.
_GCC = """
-O3 -pthread -pipe -Werror=main -Werror=pointer-arith -Werror=overlength-strings -Wno-vla -Werror=overflow
-ftree-vectorize -Werror=array-bounds -Werror=format-contains-nul -Werror=type-limits -fvisibility-inlines-hidden
-fno-math-errno --param vect-max-version-for-alias-checks=50 -felide-constructors -fmessage-length=0 -Wall
-Wno-non-template-friend -Wno-long-long -Wreturn-type -Wextra -Wpessimizing-move -Wclass-memaccess
-Wno-cast-function-type -Wno-unused-but-set-parameter -Wno-ignored-qualifiers -Wno-unused-parameter -Wunused
-Wparentheses -Werror=return-type -Werror=missing-braces -Werror=unused-value -Werror=unused-label -Werror=address
-Werror=format -Werror=sign-compare -Werror=write-strings -Werror=delete-non-virtual-dtor -Werror=strict-aliasing
-Werror=narrowing -Werror=unused-but-set-variable -Werror=reorder -Werror=unused-variable -Werror=conversion-null
-Werror=return-local-addr -Wnon-virtual-dtor -Werror=switch -fdiagnostics-show-option -Wno-unused-local-typedefs
-Wno-attributes -Wno-psabi
"""

# tools/llvm: what llvm-cxxcompiler.xml takes from that list, and what it adds.
NOT_CLANG = {
    "-Wno-non-template-friend",
    "-Werror=format-contains-nul",
    "-Werror=unused-but-set-variable",
    "-Werror=return-local-addr",
}
_CLANG = """
-Wno-c99-extensions -Wno-c++11-narrowing -D__STRICT_ANSI__ -Wno-unused-private-field -Wno-unknown-pragmas
-Wno-unused-command-line-argument -Wno-unknown-warning-option -ftemplate-depth=512
-Wno-error=potentially-evaluated-expression -Wno-tautological-type-limit-compare -fsized-deallocation
"""

FLAGS = {
    "g++": _GCC.split(),
    "clang++": [flag for flag in _GCC.split() if flag not in NOT_CLANG] + _CLANG.split(),
}

OLD_PATH, NEW_PATH = (f"FWCore/{package}/interface/FileInPath.h" for package in ("ParameterSet", "Utilities"))

SOURCES = [*sorted(PLUGINS.glob("*.cc")), CPP / "runner" / "e2e_infer.cc"]


@pytest.mark.parametrize("standard", ["c++17", "c++20"])
@pytest.mark.parametrize("compiler", FLAGS)
def test_the_sources_compile_without_a_warning(compiler: str, standard: str, cpp_dependencies: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed; on Debian: apt-get install clang.")
    for source in SOURCES:
        assert syntax_errors(compiler, standard, source, STANDINS, cpp_dependencies) == "", source.name


def test_headers_are_found_where_older_releases_have_them(tmp_path: Path, cpp_dependencies: Path) -> None:
    standins = Path(shutil.copytree(STANDINS, tmp_path / "standins"))
    (standins / NEW_PATH).rename(standins / OLD_PATH)
    for path in standins.rglob("*.h"):
        path.write_text(path.read_text().replace(NEW_PATH, OLD_PATH))
    assert syntax_errors("g++", "c++17", PLUGINS / "JetReader.cc", standins, cpp_dependencies) == ""


def syntax_errors(compiler: str, standard: str, source: Path, standins: Path, dependencies: Path) -> str:
    """What the compiler says of ``source``."""
    include = [f"-I{PLUGINS}", f"-I{CPP / 'include'}", f"-I{standins}", "-isystem", str(dependencies / "include")]
    words = [compiler, f"-std={standard}", *FLAGS[compiler], *include, "-fsyntax-only", str(source)]
    result = subprocess.run(words, capture_output=True, text=True)
    assert result.returncode == 0 or result.stderr
    return result.stderr
