# Where third parties come from: Debian (find_package), npm and crates (lock files in third_party/,
# brought by scripts/install-deps).

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tl-expected REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
pkg_check_modules(mariadb REQUIRED IMPORTED_TARGET libmariadb)
add_library(MariaDB::MariaDB ALIAS PkgConfig::mariadb)
pkg_check_modules(deflate REQUIRED IMPORTED_TARGET libdeflate)
add_library(libdeflate::libdeflate ALIAS PkgConfig::deflate)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
add_library(zstd::zstd ALIAS PkgConfig::zstd)
find_package(Boost 1.81 REQUIRED)
if(BIWA_TESTS)
    find_package(GTest REQUIRED)
endif()

set(duckdb_dir ${PROJECT_SOURCE_DIR}/third_party/npm/node_modules/@duckdb/node-bindings-linux-x64)
set(duckdb_header_dir ${PROJECT_SOURCE_DIR}/third_party/crates/vendor/include)
if(NOT EXISTS ${duckdb_dir}/libduckdb.so OR NOT EXISTS ${duckdb_header_dir}/duckdb.h)
    message(FATAL_ERROR "DuckDB is not here yet: run scripts/install-deps")
endif()
# The library lies beside the program, and the program looks for it there.
configure_file(${duckdb_dir}/libduckdb.so ${CMAKE_BINARY_DIR}/libduckdb.so COPYONLY)
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_BUILD_RPATH "$ORIGIN")
set(CMAKE_INSTALL_RPATH "$ORIGIN/../lib/biwa")
add_library(duckdb SHARED IMPORTED)
set_target_properties(duckdb PROPERTIES
    IMPORTED_LOCATION ${CMAKE_BINARY_DIR}/libduckdb.so
    INTERFACE_INCLUDE_DIRECTORIES ${duckdb_header_dir})

# quickjs-ng: JavaScript of models. Four C files of the crate, whose warnings are not ours to mend.
file(GLOB quickjs_dir ${PROJECT_SOURCE_DIR}/third_party/crates/vendor/rquickjs-sys-*/quickjs)
if(NOT EXISTS ${quickjs_dir}/quickjs.h)
    message(FATAL_ERROR "quickjs-ng is not here yet: run scripts/install-deps")
endif()
add_library(quickjs STATIC ${quickjs_dir}/quickjs.c ${quickjs_dir}/libregexp.c
    ${quickjs_dir}/libunicode.c ${quickjs_dir}/dtoa.c)
target_include_directories(quickjs SYSTEM PUBLIC ${quickjs_dir})
target_compile_definitions(quickjs PRIVATE _GNU_SOURCE)
target_compile_options(quickjs PRIVATE -w)
set_target_properties(quickjs PROPERTIES C_STANDARD 11 C_EXTENSIONS ON)
