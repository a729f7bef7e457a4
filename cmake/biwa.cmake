# How a folder of src/ becomes a library. The DEPENDS line is the architecture: scripts/check-layers
# reads it and fails when an #include goes where no DEPENDS leads.

add_compile_options(-Wall -Wextra -Wshadow -Werror -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 warns of impossible bounds inside the standard library's own std::string code.
    add_compile_options(-Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds -Wno-dangling-pointer)
endif()
if(BIWA_SANITIZE)
    add_compile_options(-fsanitize=${BIWA_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${BIWA_SANITIZE})
endif()

if(BIWA_FUZZ)
    # The libraries too: a fuzzer finds its way by the branches that it sees taken.
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(BIWA_CCACHE ccache)
if(BIWA_CCACHE)
    # What was compiled in another checkout is found as well.
    set(BIWA_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
        ${BIWA_CCACHE})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${BIWA_LAUNCHER})
    set(CMAKE_C_COMPILER_LAUNCHER ${BIWA_LAUNCHER})
endif()

# All test programs, without what else there is to build: enough for the sanitizers.
add_custom_target(test_programs)

# biwa_test(NAME files… LINK libraries…): the program NAME_test, run by ctest as NAME.
function(biwa_test name)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    add_executable(${name}_test ${ARG_UNPARSED_ARGUMENTS})
    target_link_libraries(${name}_test PRIVATE ${ARG_LINK} GTest::gtest_main)
    # Compiling the tests is what takes the time, not running them; what they test is optimized.
    target_compile_options(${name}_test PRIVATE -O0)
    add_test(NAME ${name} COMMAND ${name}_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    add_dependencies(test_programs ${name}_test)
endfunction()

# biwa_library(NAME DEPENDS other… LINK third-party… [SOURCES file…])
# Takes every *.cc of the folder that is not a *_test.cc, and its tests as the program NAME_test.
function(biwa_library name)
    cmake_parse_arguments(ARG "" "" "DEPENDS;LINK;TEST_LINK" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
    set(tests ${sources})
    list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
    list(FILTER tests INCLUDE REGEX "_test\\.cc$")

    set(libraries ${ARG_DEPENDS})
    list(TRANSFORM libraries PREPEND biwa_)
    if(sources)
        add_library(biwa_${name} STATIC ${sources})
        target_link_libraries(biwa_${name} PUBLIC ${libraries} ${ARG_LINK})
        target_include_directories(biwa_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
    else()
        add_library(biwa_${name} INTERFACE)
        target_link_libraries(biwa_${name} INTERFACE ${libraries} ${ARG_LINK})
        target_include_directories(biwa_${name} INTERFACE ${PROJECT_SOURCE_DIR}/src)
    endif()

    if(tests AND BIWA_TESTS)
        biwa_test(${name} ${tests} LINK biwa_${name} ${ARG_TEST_LINK})
    endif()
endfunction()
