"""Switch one prepared machine on: clear what its last life left, then launch it."""

from bastide.lab.cgroups import Hierarchies, remove_groups
from bastide.lab.disk import REPLUG, Papers, machine_dir
from bastide.lab.names import LabNetworks
from bastide.lab.network import replug_script
from bastide.lab.nspawn import launch


def boot(hosts: Hierarchies, lab: str, networks: LabNetworks, papers: Papers) -> None:
    """Boot a machine that is not running and that is plugged in; returns before it has come up."""
    machine = papers.spec.name
    # Groups of the last life, empty by now, would be taken by the new systemd for its own.
    remove_groups(hosts, lab, machine)
    (machine_dir(lab, machine) / REPLUG).write_text(replug_script(networks, papers.spec))
    launch(hosts, lab=lab, index=networks.index, machine=machine, image=papers.image)
