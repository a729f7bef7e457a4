# The library biwa_web: the files of the web page as data of the program (web/embed/assets.h, to be
# included as "web/embed/assets.h"). With BIWA_WEB=OFF it holds none, and needs neither Node.js nor npm.

function(biwa_web_library)
    set(web ${PROJECT_SOURCE_DIR}/web)
    set(out ${CMAKE_BINARY_DIR}/web)

    if(BIWA_WEB)
        file(GLOB_RECURSE inputs CONFIGURE_DEPENDS ${web}/src/* ${web}/public/*)
        list(FILTER inputs EXCLUDE REGEX "\\.test\\.ts$")
        list(APPEND inputs ${web}/index.html ${web}/package.json ${web}/package-lock.json
            ${web}/tsconfig.json ${web}/vite.config.ts ${web}/embed/bring-packages
            ${web}/embed/build-page ${web}/embed/embed.py)
        find_package(Python3 REQUIRED COMPONENTS Interpreter)
        add_custom_command(
            OUTPUT ${out}/assets.cc ${out}/assets.S
            COMMAND ${web}/embed/build-page ${out}/dist
            COMMAND ${Python3_EXECUTABLE} ${web}/embed/embed.py ${out}/dist ${out}
            DEPENDS ${inputs}
            COMMENT "Building the web page"
            VERBATIM)
        add_library(biwa_web STATIC ${out}/assets.cc ${out}/assets.S)
    else()
        add_library(biwa_web STATIC ${web}/embed/no_assets.cc)
    endif()
    target_include_directories(biwa_web PUBLIC ${PROJECT_SOURCE_DIR})

    if(BIWA_TESTS)
        biwa_test(web ${web}/embed/assets_test.cc LINK biwa_web)
        if(BIWA_WEB)
            target_compile_definitions(web_test PRIVATE BIWA_WEB_EMBEDDED)
        endif()
    endif()
endfunction()
