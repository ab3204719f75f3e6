"""The lines that give a NAT more, in the words of whoever sells or makes it.

Names and addresses in them are examples (RFC 5737): put in your own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from simulator.preflight.inverse import Change

_AZ_LB: Final = "az network lb outbound-rule update -g GROUP --lb-name LB -n RULE"
_GCLOUD: Final = "gcloud compute routers nats update NAT --router=ROUTER --region=REGION"
_ADDRESSES: Final = {
    "aws-nat-gateway": (
        "aws",
        "ec2 associate-nat-gateway-address --nat-gateway-id NAT --allocation-ids EIP  (for each)",
    ),
    "aws-nlb": ("aws", "one address a zone: enable further zones, or put a balancer beside it"),
    "azure-load-balancer": ("az", f"{_AZ_LB.removeprefix('az ')} --frontend-ip-configs A B"),
    "azure-nat-gateway": (
        "az",
        "network nat gateway update -g GROUP -n NAT --public-ip-addresses A B",
    ),
    "google-cloud-nat": ("gcloud", f"{_GCLOUD.removeprefix('gcloud ')} --nat-external-ip-pool=A,B"),
    "linux-masquerade": ("nft", "oifname eth0 snat to 192.0.2.1-192.0.2.2"),
    "full-nat": ("lvs", "ipvsadm --add-laddr -z 192.0.2.2 -t VIP:PORT  (one for each)"),
}
_ADDRESSES["google-cloud-nat-dynamic"] = _ADDRESSES["google-cloud-nat"]
_PRESETS: Final = {
    "azure-nat-gateway": (
        "az",
        "network vnet subnet update -g GROUP --vnet-name NET -n SUBNET --nat-gateway NAT",
    ),
    "google-cloud-nat-dynamic": (
        "gcloud",
        f"{_GCLOUD.removeprefix('gcloud ')} --enable-dynamic-port-allocation",
    ),
}


def nat_lines(change: Change) -> list[tuple[str, str]]:
    """Who must do it, and the line, of a change whose kind begins with ``nat-``."""
    number = change.after.partition(" ")[0].replace(",", "")
    if change.kind == "nat-table":
        return [("sysctl", f"net.netfilter.nf_conntrack_max = {number}")]
    if change.kind == "nat-preset":
        return [_PRESETS.get(change.after, ("operator", f"put a {change.after} in its place"))]
    if change.kind == "nat-ports":
        return [_ports(change.part, number)]
    return [_ADDRESSES.get(change.part, ("operator", "one more outer address in the pool"))]


def _ports(preset: str, number: str) -> tuple[str, str]:
    if preset == "azure-load-balancer":
        return "az", f"{_AZ_LB.removeprefix('az ')} --outbound-ports {number}"
    if preset.startswith("google"):
        flag = "max" if preset.endswith("dynamic") else "min"
        return "gcloud", f"{_GCLOUD.removeprefix('gcloud ')} --{flag}-ports-per-vm={number}"
    return "operator", f"a limit of {number} ports for each host"
