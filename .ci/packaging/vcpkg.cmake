# Runs the port file with vcpkg's functions replaced by the least that the port needs:
#
#     cmake -DSOURCE=… -DBUILDTREES=… -DPACKAGES=… -P vcpkg.cmake
cmake_minimum_required(VERSION 3.20)

set(CURRENT_BUILDTREES_DIR "${BUILDTREES}")
set(CURRENT_PACKAGES_DIR "${PACKAGES}")
set(TARGET_TRIPLET native)
set(VCPKG_BUILD_TYPE release)
set(FEATURES core tls tool)

macro(vcpkg_from_github)
    set(SOURCE_PATH "${SOURCE}")
endmacro()

function(vcpkg_execute_required_process)
    cmake_parse_arguments(arg "" "WORKING_DIRECTORY;LOGNAME" "COMMAND" ${ARGN})
    execute_process(COMMAND ${arg_COMMAND} WORKING_DIRECTORY "${arg_WORKING_DIRECTORY}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(vcpkg_copy_tools)
    foreach(tool nanocat nntop)
        if(NOT EXISTS "${CURRENT_PACKAGES_DIR}/bin/${tool}")
            message(FATAL_ERROR "${tool} is not installed")
        endif()
    endforeach()
endfunction()

function(vcpkg_check_linkage)
endfunction()

function(vcpkg_fixup_pkgconfig)
    if(NOT EXISTS "${CURRENT_PACKAGES_DIR}/lib/pkgconfig/nanomsg.pc")
        message(FATAL_ERROR "nanomsg.pc is not installed")
    endif()
endfunction()

function(vcpkg_install_copyright)
    cmake_parse_arguments(arg "" "" "FILE_LIST" ${ARGN})
    foreach(file IN LISTS arg_FILE_LIST)
        if(NOT EXISTS "${file}")
            message(FATAL_ERROR "there is no ${file}")
        endif()
    endforeach()
endfunction()

include("${SOURCE}/packaging/vcpkg/nanomsg/portfile.cmake")
