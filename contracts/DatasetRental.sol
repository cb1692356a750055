// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

/// The development rental contract: one dataset, whose id is this contract's address. cced itself only reads
/// `owner()` and `hasAccess(address)`, so any other contract with these two may stand in its place.
contract DatasetRental {
    /// Longer purchases are refused: it keeps every expiry far from overflow.
    uint256 public constant MAX_HOURS = 10 * 365 * 24;

    address public immutable owner;
    /// Wei per hour.
    uint256 public price;
    /// Unix seconds at which a wallet's access ends; 0: it never had any.
    mapping(address wallet => uint256) public accessExpiresAt;

    event AccessPurchased(address indexed wallet, uint256 hours_, uint256 expiresAt);
    event PriceChanged(uint256 price);
    event Withdrawn(uint256 amount);

    error NotOwner();
    error BadHours(uint256 hours_);
    error WrongPayment(uint256 expected, uint256 paid);
    error TransferFailed();

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner();
        _;
    }

    constructor(uint256 price_) {
        owner = msg.sender;
        price = price_;
        emit PriceChanged(price_);
    }

    /// Buys access for the sender, exactly paid; it extends access that still holds.
    function purchaseAccess(uint256 hours_) external payable {
        if (hours_ == 0 || hours_ > MAX_HOURS) revert BadHours(hours_);
        uint256 cost = price * hours_;
        if (msg.value != cost) revert WrongPayment(cost, msg.value);
        uint256 from = accessExpiresAt[msg.sender];
        if (from < block.timestamp) from = block.timestamp;
        uint256 until = from + hours_ * 1 hours;
        accessExpiresAt[msg.sender] = until;
        emit AccessPurchased(msg.sender, hours_, until);
    }

    function hasAccess(address wallet) external view returns (bool) {
        return accessExpiresAt[wallet] > block.timestamp;
    }

    function setPrice(uint256 price_) external onlyOwner {
        price = price_;
        emit PriceChanged(price_);
    }

    function withdraw() external onlyOwner {
        uint256 amount = address(this).balance;
        emit Withdrawn(amount);
        (bool sent,) = owner.call{value: amount}("");
        if (!sent) revert TransferFailed();
    }
}
