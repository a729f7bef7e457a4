# What there is to do, each target with all that it needs. The work itself is in scripts/.
.PHONY: build demo test lint format bench install clean
PREFIX ?= /usr/local

build:
	scripts/build

demo: build
	scripts/demo

test:
	scripts/test

lint:
	scripts/lint

format:
	scripts/install-deps --test
	scripts/cpp-files | xargs clang-format-14 -i

bench:
	bench/run all --keep

install: build
	cmake --install build/release --prefix "$(PREFIX)"

clean:
	rm -rf build
