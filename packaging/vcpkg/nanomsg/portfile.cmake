# An overlay port, which takes the place of the C library's port of the same name:
#
#     vcpkg install --head --overlay-ports=packaging/vcpkg nanomsg
#
# There is no release yet, so --head is needed. Rust comes from the system.
vcpkg_from_github(OUT_SOURCE_PATH SOURCE_PATH REPO blabaere/scaproust HEAD_REF main)

# The CMake package has the shared library only.
vcpkg_check_linkage(ONLY_DYNAMIC_LIBRARY)

find_program(CARGO cargo PATHS "$ENV{HOME}/.cargo/bin" REQUIRED)
find_program(MAKE NAMES gmake make REQUIRED)

set(tls no)
if("tls" IN_LIST FEATURES)
    set(tls yes)
endif()

# install_kind(KIND PREFIX): builds the library of that kind and installs it.
function(install_kind kind prefix)
    vcpkg_execute_required_process(
        COMMAND "${CMAKE_COMMAND}" -E env "CARGO_TARGET_DIR=${CURRENT_BUILDTREES_DIR}/target"
            "${MAKE}" install "CARGO=${CARGO}" "KIND=${kind}" "TLS=${tls}" "PREFIX=${prefix}"
        WORKING_DIRECTORY "${SOURCE_PATH}"
        LOGNAME "install-${TARGET_TRIPLET}-${kind}"
    )
    file(REMOVE "${prefix}/lib/libnanomsg.a")
endfunction()

if(NOT VCPKG_BUILD_TYPE STREQUAL "debug")
    install_kind(release "${CURRENT_PACKAGES_DIR}")
endif()
if(NOT VCPKG_BUILD_TYPE STREQUAL "release")
    install_kind(debug "${CURRENT_PACKAGES_DIR}/debug")
    file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share"
        "${CURRENT_PACKAGES_DIR}/debug/bin")
endif()

# The CMake package finds the library by its own place, lib/cmake, where CMake looks for it in both prefixes.
set(VCPKG_POLICY_SKIP_MISPLACED_CMAKE_FILES_CHECK enabled)
set(VCPKG_POLICY_SKIP_LIB_CMAKE_MERGE_CHECK enabled)
vcpkg_fixup_pkgconfig()

if("tool" IN_LIST FEATURES)
    vcpkg_copy_tools(TOOL_NAMES nanocat nntop AUTO_CLEAN)
endif()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/bin")

vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE-MIT" "${SOURCE_PATH}/LICENSE-APACHE")
