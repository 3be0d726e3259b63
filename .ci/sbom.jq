# A bill of materials in the form of CycloneDX 1.5, from what `cargo metadata` prints: each package that the library and the
# tool are built from, and what it needs. Dependencies of tests are left out.
def url: "pkg:cargo/\(.name)@\(.version)";
(.packages | map({ key: .id, value: . }) | from_entries) as $packages
| (.resolve.nodes | map({ key: .id, value: [.deps[] | select(any(.dep_kinds[]; .kind != "dev")) | .pkg] }) | from_entries) as $needs
| { seen: [], open: [.workspace_members[]] }
| until(.open == []; .open[0] as $id | .seen += [$id]
    | .seen as $seen | .open = ((.open[1:] + $needs[$id]) | unique | map(select(. as $one | $seen | index($one) | not))))
| .seen as $parts
| {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: { component: ($packages[] | select(.name == "libnanomsg") | { type: "library", name, version, purl: url }) },
    components: [$parts[] | $packages[.] | {
        type: "library", "bom-ref": url, name, version, purl: url,
        licenses: [{ expression: (.license // "NOASSERTION" | gsub("/"; " OR ")) }]
    }],
    dependencies: [$parts[] | { ref: ($packages[.] | url), dependsOn: [$needs[.][] | $packages[.] | url] }]
}
