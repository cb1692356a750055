// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

/// For tests: the smallest EIP-1271 wallet, with one key.
contract Wallet1271 {
    address public immutable signer;

    error NotSigner();
    error CallFailed();

    constructor(address signer_) {
        signer = signer_;
    }

    receive() external payable {}

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        if (signature.length != 65) return 0xffffffff;
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        address recovered = ecrecover(digest, uint8(signature[64]), r, s);
        return recovered != address(0) && recovered == signer ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }

    /// Lets the wallet act (buy access), for its key only.
    function execute(address to, uint256 value, bytes calldata data) external {
        if (msg.sender != signer) revert NotSigner();
        (bool done,) = to.call{value: value}(data);
        if (!done) revert CallFailed();
    }
}
