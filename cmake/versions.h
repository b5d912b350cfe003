/* Versions: what a build is made of, for --version. */
#ifndef ELMPI_VERSIONS_H
#define ELMPI_VERSIONS_H

/** Prints lines "name: version": commit, libraries. */
void elm_versions_print(void);

#endif
