// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

/// Anchors of audit logs: for each writer the newest checkpoint (size, Merkle root) of its log. A writer is
/// whoever sends; it can never go back to a smaller log or put another root in an old one's place. The events
/// keep every checkpoint.
contract CheckpointAnchor {
    struct Checkpoint {
        uint64 size;
        bytes32 root;
    }

    mapping(address writer => Checkpoint) private checkpoints;

    event Anchored(address indexed writer, uint64 size, bytes32 root);

    error NotGrowing(uint64 last, uint64 size);

    function anchor(uint64 size, bytes32 root) external {
        Checkpoint storage last = checkpoints[msg.sender];
        if (size <= last.size) revert NotGrowing(last.size, size);
        last.size = size;
        last.root = root;
        emit Anchored(msg.sender, size, root);
    }

    /// (0, 0) for a writer that never anchored.
    function latest(address writer) external view returns (uint64 size, bytes32 root) {
        Checkpoint storage last = checkpoints[writer];
        return (last.size, last.root);
    }
}
